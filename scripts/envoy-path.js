// Where the Envoy binary is: ENVOY_BIN, or the one that set-up brought. Plain JavaScript, as setup.js is.
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** Absolute path of Envoy 1.40; throws where there is none. */
export function envoyPath() {
  const path = process.env.ENVOY_BIN ?? resolve(import.meta.dirname, "../.cache/envoy/envoy/_bin/envoy");
  if (!existsSync(path)) throw new Error(`no Envoy at ${path}: run \`npm run setup\`, or set ENVOY_BIN`);
  return path;
}
