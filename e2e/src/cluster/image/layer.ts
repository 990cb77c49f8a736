import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { imageCache } from "../places.ts";
import { contentsOf, fingerprint } from "./contents.ts";
import type { LayerPlan } from "./plan.ts";
import { end, header, padding } from "./tar.ts";

const keepDays = 7;

/** An uncompressed tar file on this machine, known by the SHA-256 of its bytes. */
export interface Layer {
  readonly digest: string;
  readonly file: string;
  readonly bytes: number;
}

/** Makes a layer, or finds it made from the same files. `onMake` is called where it has to be made. */
export function layerOf(plan: LayerPlan, onMake: (name: string) => void): Layer {
  const layers = join(imageCache, "layers");
  mkdirSync(layers, { recursive: true });
  const key = createHash("sha256").update(fingerprint(plan)).digest("hex").slice(0, 32);
  const known = join(layers, `${plan.name}-${key}`);
  if (existsSync(known)) {
    const digest = readFileSync(known, "utf8");
    const file = join(layers, `${digest}.tar`);
    if (existsSync(file)) {
      const now = new Date();
      for (const used of [known, file]) utimesSync(used, now, now);
      return { digest, file, bytes: statSync(file).size };
    }
  }
  onMake(plan.name);
  const unfinished = join(layers, `${plan.name}-${process.pid}.unfinished`);
  const digest = write(unfinished, plan);
  const file = join(layers, `${digest}.tar`);
  renameSync(unfinished, file);
  writeFileSync(known, digest);
  return { digest, file, bytes: statSync(file).size };
}

function write(path: string, plan: LayerPlan): string {
  const hash = createHash("sha256");
  const out = openSync(path, "w");
  const put = (bytes: Uint8Array): void => {
    hash.update(bytes);
    writeSync(out, bytes);
  };
  for (const { entry, from, text } of contentsOf(plan)) {
    put(header(entry));
    if (entry.kind !== "file") continue;
    const bytes = from === undefined ? Buffer.from(text ?? "") : readFileSync(from);
    if (bytes.length !== entry.bytes) throw new Error(`${from} changed while it was read`);
    put(bytes);
    put(padding(bytes.length));
  }
  put(end);
  closeSync(out);
  return hash.digest("hex");
}

/** Removes layers that no image has used for a week. */
export function pruneLayers(): void {
  const layers = join(imageCache, "layers");
  const oldest = Date.now() - keepDays * 86_400_000;
  for (const name of existsSync(layers) ? readdirSync(layers) : []) {
    const path = join(layers, name);
    if (statSync(path).mtimeMs < oldest) rmSync(path);
  }
}
