import { reduceFootprint } from "./footprint.ts";

reduceFootprint();
// Only now, so that what comes before stays small and quick.
const { run } = await import("./run.ts");
await run();
