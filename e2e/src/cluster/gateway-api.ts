import { buildProgram } from "./programs.ts";

/** Resolves to the path of a manifest: the standard CRDs of the Gateway API. The first call on a machine downloads it. */
export function gatewayCrds(): Promise<string> {
  return buildProgram("gateway-api");
}
