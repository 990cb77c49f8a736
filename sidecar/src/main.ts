import { countCompiled, keepCompiled, reduceFootprint } from "./footprint.ts";

reduceFootprint();
const compiled = countCompiled();
// Only now, so that what comes before stays small and quick.
const { run } = await import("./run.ts");
keepCompiled(compiled);
await run();
