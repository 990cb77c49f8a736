import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

export const root = join(import.meta.dirname, "../../..");

/** What is not TypeScript of the test cluster: Go and shell. */
export const recipes = join(root, "e2e/cluster");

/** What this checkout built from its own files; removing it costs seconds. */
export const imageCache = join(root, ".cache/cluster");

/** What costs minutes to build and serves every checkout on this machine. */
export function machineCache(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "hedgerow");
}
