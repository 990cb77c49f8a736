// Keeps the sources as V8 compiled them, for the next start: Node's TypeScript compiler costs half a second of CPU. In the
// checkout, where whoever can write could change the sources as well; a directory that cannot be written costs just that.
// NODE_COMPILE_CACHE names another one.
import { enableCompileCache } from "node:module";
import { join } from "node:path";

enableCompileCache(join(import.meta.dirname, "../../.cache/compiled"));
// Only now, so that it is in the cache.
const { runProcess } = await import("./run.ts");
await runProcess();
