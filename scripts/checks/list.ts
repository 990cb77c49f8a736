import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Check } from "./run-check.ts";

/** What `npm run check` runs in the tree at `root`, whose workspaces are named: the longest first. */
export function checksFor(root: string, workspaces: readonly string[]) {
  const sources = workspaces
    .flatMap((name) => [`${name}/src`, `${name}/test`])
    .filter((folder) => existsSync(join(root, folder)));
  return {
    types: { command: "tsc", args: ["-b"] },
    "lint with types": { command: "oxlint", args: ["--type-aware", "--deny-warnings", ...sources, "scripts"] },
    "unused code": { command: "knip", args: ["--no-progress", "--no-config-hints"] },
    "format and lint": { command: "biome", args: ["check", "--error-on-warnings", "."] },
    layers: { command: "node", args: ["scripts/checks/layers/main.ts"] },
    licences: { command: "node", args: ["scripts/checks/licences/main.ts"] },
    // Of buf.yaml's modules only this one is ours; the others are Envoy's and may look as they like.
    "protocol buffers": { command: "buf", args: ["lint", "--path", "proto/hedgerow"] },
  } satisfies Readonly<Record<string, Check>>;
}
