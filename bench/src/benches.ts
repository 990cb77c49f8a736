import type { Bench } from "./bench.ts";

/** Every benchmark, in the order in which `npm run bench` lists them. */
export const benches: readonly Bench[] = [];
