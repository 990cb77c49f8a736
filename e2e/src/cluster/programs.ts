import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { lock } from "./lock.ts";
import { machineCache, recipes } from "./places.ts";
import { run } from "./run.ts";

// The Go release is left out of what they are known by: a machine without Go then uses what was built before.
const programs = {
  /** Kubernetes and etcd in one. */
  hkube: {
    inputs: ["hkube/go.mod", "hkube/go.sum", "hkube/main.go", "hkube/build.sh"],
    cost: "Kubernetes from source; ten minutes the first time",
  },
  /** What keeps a pod's namespaces. */
  pause: { inputs: ["pause/go.mod", "pause/main.go", "pause/build.sh"], cost: "a second" },
  /** A manifest: the Gateway API's CRDs. */
  "gateway-api": {
    inputs: ["gateway-api/go.mod", "gateway-api/go.sum", "gateway-api/build.sh"],
    cost: "a download of a megabyte",
  },
  /** An S3 server with object lock. */
  versitygw: {
    inputs: ["versitygw/go.mod", "versitygw/go.sum", "versitygw/build.sh"],
    cost: "an S3 server from source; a minute",
  },
  /** OpenTelemetry's collector. */
  otelcol: {
    inputs: ["otelcol/go.mod", "otelcol/go.sum", "otelcol/main.go", "otelcol/build.sh"],
    cost: "a collector from source; two minutes",
  },
} as const;

/** What is built with Go, once on a machine. */
export type Program = keyof typeof programs;

export const allPrograms: readonly Program[] = ["hkube", "pause", "gateway-api", "versitygw", "otelcol"];

/** Where the program that this checkout describes stands, or will. */
function programPath(program: Program): string {
  const hash = createHash("sha256").update(process.arch);
  for (const file of programs[program].inputs) hash.update("\0").update(readFileSync(join(recipes, file)));
  return join(machineCache(), `${program}-${hash.digest("hex").slice(0, 16)}`);
}

export const isBuilt = (program: Program): boolean => existsSync(programPath(program));

/** The path of a program that is built already; throws where it is not. */
export function builtProgram(program: Program): string {
  const path = programPath(program);
  if (!existsSync(path)) throw new Error(`${program} is not built: run \`npm run test:kubernetes\`, which builds it`);
  return path;
}

/** Builds the program unless it stands; a second caller waits for the first. Throws CommandError. */
export async function buildProgram(program: Program, progress: (step: string) => void = () => {}): Promise<string> {
  const path = programPath(program);
  if (existsSync(path)) return path;
  mkdirSync(machineCache(), { recursive: true });
  const held = lock(`${path}.lock`, () => progress(`${program}: waiting for another build of it`));
  try {
    if (existsSync(path)) return path;
    progress(`${program} (${programs[program].cost})`);
    const unfinished = join(machineCache(), `unfinished-${basename(path)}`);
    await run(join(recipes, program, "build.sh"), [unfinished]);
    renameSync(unfinished, path);
    return path;
  } finally {
    closeSync(held);
  }
}
