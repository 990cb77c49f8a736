// What the pool and its worker threads say to each other.

import type { Datatype, Tensor } from "@hedgerow/proto/tensor";
import type { ModelSignature } from "../model/signature.ts";

/** A model file, and the digest that its bytes must have: a replaced worker serves what its predecessor did. */
export interface ModelFile {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

/** `workerData`: what a worker loads before it says "loaded". */
export interface WorkerStart {
  readonly models: readonly ModelFile[];
}

/**
 * To a worker: "run" is answered with "done" or "failed"; after "stop" it ends by itself. It is never terminated from
 * outside: that would abort the whole process where it hits the runtime's native code (an uncaught Napi::Error).
 */
export type WorkerOrder = { readonly kind: "stop" } | { readonly kind: "run"; readonly request: RunRequest };

/** One inference. */
export interface RunRequest {
  /** NAME/VERSION. */
  readonly model: string;
  /** Each `bytes` is a whole buffer of its own, transferred. */
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly { readonly name: string; readonly datatype: Datatype }[];
}

/** From a worker. */
export type WorkerReport =
  | { readonly kind: "loaded"; readonly signatures: readonly ModelSignature[] }
  | { readonly kind: "load_failed"; readonly problems: readonly string[] }
  | { readonly kind: "done"; readonly outputs: readonly Tensor[]; readonly runMs: number }
  | { readonly kind: "failed"; readonly message: string };
