import { audit } from "./audit.ts";
import type { Bench } from "./bench.ts";
import { edit } from "./edit.ts";
import { inspect } from "./inspect.ts";
import { kubernetes } from "./kubernetes/kubernetes.ts";
import { path } from "./path.ts";
import { start } from "./start.ts";

/** Every benchmark, in the order in which `npm run bench` lists them. */
export const benches: readonly Bench[] = [start, path, edit, inspect, audit, kubernetes];
