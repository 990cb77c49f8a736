import type { TensorSpec } from "./tensor-spec.ts";

/** One version of one model, as it was loaded. */
export interface ModelSignature {
  readonly name: string;
  /** A positive integer in decimal, without leading zeros. */
  readonly version: string;
  /** Hex, of the model file's bytes. */
  readonly sha256: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** NAME/VERSION: what workers and logs call a model. */
export function modelKey(model: { readonly name: string; readonly version: string }): string {
  return `${model.name}/${model.version}`;
}
