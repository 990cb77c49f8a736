import type { Datatype } from "@hedgerow/proto/tensor";

/** What a model says of one input or output. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1: any size from 1. Undefined: the model does not say, so any shape. */
  readonly shape: readonly number[] | undefined;
}
