import type { RecordedFinding } from "@hedgerow/ledger";

export type Protocol = "grpc" | "grpc-web" | "connect" | "rest" | "http";

/** What a reader needs of a request. */
export interface RequestParts {
  readonly method: string;
  /** As it came, with its query. */
  readonly path: string;
  /**
   * By lower-case name, repeated ones joined with commas (node's `joinDuplicateHeaders`): a second content-type that is
   * silently dropped would be a way around.
   */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

export interface ReadLimits {
  /** Of the body as it comes, frames and all, and of the message, decompressed. */
  readonly maxRequestBytes: number;
}

/** A tensor of a request, checked by itself: its data is what `shape` and `datatype` ask for. */
export interface TensorView {
  readonly name: string;
  /** Of the Open Inference Protocol, or BF16. */
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export type TensorData =
  /** Little-endian, row-major, a view into the request. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** One an element, row-major: 64-bit integers as bigint (or as a number, where JSON had one), BYTES as bytes. */
  | { readonly kind: "values"; readonly values: readonly (number | bigint | boolean | Uint8Array)[] };

/** An inference request, as every server that takes it must read it. */
export interface InferRead {
  readonly kind: "infer";
  readonly protocol: Protocol;
  readonly model: string;
  /** Undefined: the served default. */
  readonly version: string | undefined;
  /** The caller's own, "" where it gave none. */
  readonly id: string;
  readonly inputs: readonly TensorView[];
  /** The decompressed message, which the input digest is taken of. */
  readonly decoded: Uint8Array;
  readonly findings?: readonly RecordedFinding[];
}

/** Not an inference request, so its body was not looked at. */
export interface OtherRead {
  readonly kind: "other";
  readonly protocol: Protocol;
  /** `http`: a path that we don't know, whatever it does. `stream`: ModelStreamInfer. */
  readonly method: "metadata" | "ready" | "live" | "stream" | "http";
  readonly model?: string;
  readonly version?: string;
}

export interface RefusedRead {
  readonly kind: "refused";
  readonly protocol: Protocol;
  readonly reason: "malformed" | "too_large" | "unsupported";
  /** For the record, never for the caller: it may repeat what the caller sent. At most 1,500 characters. */
  readonly message: string;
}

export type ReadResult = InferRead | OtherRead | RefusedRead;
