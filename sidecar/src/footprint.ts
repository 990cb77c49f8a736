import { readdirSync } from "node:fs";
import { flushCompileCache, getCompileCacheDir } from "node:module";
import { join } from "node:path";
import process from "node:process";

/**
 * Megabytes of a half of V8's young generation. An agent is idle nearly always, and there is one beside every workload: the
 * default of 16 keeps 25 MB of dead objects resident in each.
 */
const YOUNG_GENERATION = "--max-semi-space-size";

/**
 * Sources as V8 compiled them, in the checkout, where whoever can write could change the sources as well. Saves the memory of
 * Node's own TypeScript compiler (25 MB), and a third of the start. A directory that cannot be written costs just that;
 * NODE_COMPILE_CACHE names another one.
 */
const COMPILED = join(import.meta.dirname, "../../.cache/compiled");

/** Runs this program again in this same process with less memory: V8 reads the size of its heap at its own start alone. */
export function reduceFootprint(): void {
  if (!process.execArgv.some((argument) => argument.startsWith(YOUNG_GENERATION))) runAgain([`${YOUNG_GENERATION}=1`]);
}

/** How many sources are kept as they were compiled; 0 where none can be. */
export function countCompiled(): number {
  const directory = getCompileCacheDir();
  try {
    return directory === undefined ? 0 : readdirSync(directory).length;
  } catch {
    // Not made yet, or not to be made.
    return 0;
  }
}

/**
 * Keeps what has been compiled: at once, not at the end of the process, since an agent may be killed. Where that is more
 * than the `former` count, this start has needed the compiler: it runs the program again, without. What was imported
 * until now must not have begun anything.
 */
export function keepCompiled(former: number): void {
  flushCompileCache();
  if (countCompiled() > former) runAgain([]);
}

function runAgain(options: readonly string[]): void {
  const env: NodeJS.ProcessEnv = { NODE_COMPILE_CACHE: COMPILED, ...process.env };
  process.execve?.(
    process.execPath,
    [process.execPath, ...options, ...process.execArgv, ...process.argv.slice(1)],
    env,
  );
}
