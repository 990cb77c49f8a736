import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { machineCache, recipes } from "./places.ts";

/** The programs that this machine has to build: Kubernetes with etcd in one, and what keeps a pod's namespaces. */
export type Program = "hkube" | "pause";

// The Go release is left out: a machine without Go can then use what another one built.
const inputs: Readonly<Record<Program, readonly string[]>> = {
  hkube: ["hkube/go.mod", "hkube/go.sum", "hkube/main.go", "hkube/build.sh"],
  pause: ["pause/go.mod", "pause/main.go", "pause/build.sh"],
};

/** Where the program built from the sources of this checkout stands, or will. */
export function programPath(program: Program): string {
  const hash = createHash("sha256").update(process.arch);
  for (const file of inputs[program]) hash.update("\0").update(readFileSync(join(recipes, file)));
  return join(machineCache(), `${program}-${hash.digest("hex").slice(0, 16)}`);
}

/** The path of a program that is built already; throws where it is not. */
export function builtProgram(program: Program): string {
  const path = programPath(program);
  if (!existsSync(path))
    throw new Error(`there is no ${program} yet: run \`npm run test:kubernetes\`, which builds it`);
  return path;
}
