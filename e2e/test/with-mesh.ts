import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type Digit, heldBackDigits } from "../src/mesh/digits.ts";
import type { Caller, Mesh, Predictor } from "../src/mesh/mesh.ts";
import { type MeshOptions, startMesh } from "../src/mesh/start-mesh.ts";

const startMs = 120_000;

export interface MeshUnderTest {
  readonly mesh: Mesh;
  readonly digits: readonly Digit[];
  readonly digit: Digit;
  /** The caller that the AccessPolicy allows, and one that it does not. */
  readonly reader: Caller;
  readonly stranger: Caller;
  readonly predictor: Predictor;
}

/** One mesh for all tests of a file. What the tests need of it is there once the first one runs. */
export function withMesh(options: Omit<MeshOptions, "directory"> = {}): () => MeshUnderTest {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-e2e-"));
  let underTest: MeshUnderTest | undefined;
  beforeAll(async () => {
    const mesh = await startMesh({ directory, ...options });
    const [reader, stranger] = mesh.callers;
    const [predictor] = mesh.predictors;
    const digits = heldBackDigits(200);
    const [digit] = digits;
    if (reader === undefined || stranger === undefined || predictor === undefined || digit === undefined)
      throw new Error("the mesh is incomplete");
    underTest = { mesh, digits, digit, reader, stranger, predictor };
  }, startMs);
  afterAll(async () => {
    await underTest?.mesh[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }, startMs);
  return () => {
    if (underTest === undefined) throw new Error("the mesh did not start");
    return underTest;
  };
}
