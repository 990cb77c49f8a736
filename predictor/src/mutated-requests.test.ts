// 2,000 mutated ModelInfer requests over each of HTTP/2 and HTTP/1.1: always an answer, or an error with a code that
// names the caller's mistake.
import http from "node:http";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { EncodedMessage, grpcClient } from "@hedgerow/proto";
import {
  GRPCInferenceService,
  type ModelInferRequest,
  ModelInferRequestSchema,
} from "@hedgerow/proto/inference/grpc_predict_v2";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Predictor } from "./predictor.ts";
import { runningPredictor } from "./testing/running-predictor.ts";

const SEED = 20261124;
const PARALLEL = 16;

/** Mulberry32: small, seeded, and the same everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
type Random = ReturnType<typeof randomOf>;
const pick = <T>(random: Random, values: readonly T[]): T => values[random(values.length)] as T;

const SHAPES = [
  [],
  [784n],
  [1n, 784n],
  [2n, 784n],
  [0n, 784n],
  [-1n, 784n],
  [2n ** 62n, 4n],
  [1n, 1n, 784n],
  Array<bigint>(40).fill(1n),
];
const NAMES = ["image", "label", "probabilities", "", "images", "__proto__", "\u0000", "x".repeat(300)];
const DATATYPES = ["FP32", "FP64", "FP16", "INT64", "UINT8", "BOOL", "BYTES", "", "fp32"];

/** Well-formed, and mostly nonsense. */
function nonsense(random: Random): ModelInferRequest {
  const inputs = Array.from({ length: pick(random, [0, 1, 1, 1, 2, 30]) }, () => ({
    name: pick(random, ["image", "image", ...NAMES]),
    datatype: pick(random, ["FP32", "FP32", "FP32", ...DATATYPES]),
    shape: pick(random, SHAPES),
    parameters: random(4) === 0 ? { p: { parameterChoice: { case: "doubleParam" as const, value: Number.NaN } } } : {},
    ...pick(random, [
      {},
      {},
      { contents: {} },
      { contents: { fp32Contents: Array<number>(784).fill(Number.POSITIVE_INFINITY) } },
      { contents: { fp32Contents: [1], int64Contents: [-(2n ** 63n)], bytesContents: [new Uint8Array(3)] } },
    ]),
  }));
  return create(ModelInferRequestSchema, {
    modelName: pick(random, ["digits", "digits", "digits", "digits", "letters", "", "../digits"]),
    modelVersion: pick(random, ["", "", "1", "2", "3", "-1", "1e0"]),
    id: pick(random, ["", "id", "\u{1f33f}".repeat(100)]),
    inputs,
    outputs: Array.from({ length: pick(random, [0, 0, 1, 3]) }, () => ({ name: pick(random, NAMES) })),
    rawInputContents: Array.from({ length: pick(random, [0, 0, inputs.length, 1, 5]) }, () =>
      new Uint8Array(pick(random, [0, 1, 3135, 3136, 3137, 6272])).fill(random(256)),
    ),
  });
}

/** Flips bits, cuts, doubles or overwrites a stretch of what was valid. */
function damaged(random: Random, valid: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(valid);
  // Most of a request is pixels; what decides how it is read stands at its start.
  const at = () => random(random(2) === 0 ? Math.min(80, bytes.length) : bytes.length);
  switch (random(4)) {
    case 0:
      for (let flips = 1 + random(8); flips > 0; flips--) {
        const index = at();
        bytes[index] = (bytes[index] ?? 0) ^ (1 << random(8));
      }
      return bytes;
    case 1:
      return bytes.slice(0, at());
    case 2: {
      const from = at();
      return Uint8Array.from([...bytes, ...bytes.subarray(from)]);
    }
    default:
      for (let index = at(), left = 1 + random(12); left > 0; left--, index++)
        bytes[index % bytes.length] = random(256);
      return bytes;
  }
}

const valid = create(ModelInferRequestSchema, {
  modelName: "digits",
  modelVersion: "2",
  id: "7",
  inputs: [{ name: "image", datatype: "FP32", shape: [1n, 784n] }],
  outputs: [{ name: "label" }],
  rawInputContents: [new Uint8Array(3136)],
});
const typed = create(ModelInferRequestSchema, {
  modelName: "digits",
  inputs: [
    { name: "image", datatype: "FP32", shape: [1n, 784n], contents: { fp32Contents: Array<number>(784).fill(0.5) } },
  ],
});

let predictor: Predictor;
beforeAll(async () => {
  predictor = await runningPredictor({ workers: 2 });
});
afterAll(async () => await predictor[Symbol.asyncDispose]());

/** What a caller may be told: never internal, unknown or unavailable. */
const GOOD = ["ok", "invalid_argument", "not_found", "resource_exhausted"];

type Send = (bytes: Uint8Array<ArrayBuffer>) => Promise<string>;

function overGrpc(): { send: Send; close: () => void } {
  const client = grpcClient(GRPCInferenceService, predictor.address, credentials.createInsecure());
  const send: Send = async (bytes) => {
    const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
    client.modelInfer(new EncodedMessage(bytes), new Metadata(), {}, resolve);
    const error = await promise;
    return error === null ? "ok" : status[error.code].toLowerCase();
  };
  return { send, close: client.close };
}

function overConnect(type: string): { send: Send; close: () => void } {
  const agent = new http.Agent({ keepAlive: true });
  const [host, port] = predictor.address.split(":");
  const send: Send = async (bytes) => {
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const path = "/inference.GRPCInferenceService/ModelInfer";
    http
      .request({ host, port, path, agent, method: "POST", headers: { "content-type": type } }, resolve)
      .on("error", reject)
      .end(bytes);
    const response = await promise;
    const body = Buffer.concat((await response.toArray()) as Buffer[]);
    return response.statusCode === 200 ? "ok" : (JSON.parse(String(body)) as { code: string }).code;
  };
  return { send, close: () => agent.destroy() };
}

const ENCODINGS: readonly (readonly [
  string,
  number,
  () => { send: Send; close: () => void },
  (request: ModelInferRequest) => Uint8Array,
])[] = [
  ["gRPC over HTTP/2", 2000, overGrpc, (request) => toBinary(ModelInferRequestSchema, request)],
  [
    "Connect over HTTP/1.1",
    2000,
    () => overConnect("application/proto"),
    (request) => toBinary(ModelInferRequestSchema, request),
  ],
  [
    "Connect as JSON",
    500,
    () => overConnect("application/json"),
    (request) => new TextEncoder().encode(toJsonString(ModelInferRequestSchema, request)),
  ],
];

test.each(ENCODINGS)(`%s: %i mutated requests, seed ${SEED}`, async (_, count, open, encode) => {
  const random = randomOf(SEED);
  const { send, close } = open();
  const codes = new Map<string, number>();
  const requests = Array.from({ length: count }, (__, index) =>
    index % 2 === 0
      ? Uint8Array.from(encode(nonsense(random)))
      : damaged(random, encode(index % 4 === 1 ? valid : typed)),
  );
  const lane = async (first: number) => {
    for (let index = first; index < count; index += PARALLEL) {
      const code = await send(requests[index] ?? new Uint8Array());
      codes.set(code, (codes.get(code) ?? 0) + 1);
      expect(GOOD, `request ${index}`).toContain(code);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, (__, first) => lane(first)));
  // The mutations reach both sides of the checks.
  expect(codes.get("ok")).toBeGreaterThan(count / 200);
  expect(codes.get("invalid_argument")).toBeGreaterThan(count / 4);
  expect(await send(Uint8Array.from(encode(valid)))).toBe("ok");
  const metrics = await (await fetch(`http://${predictor.metricsAddress}/metrics`)).text();
  expect(metrics).toContain("hedgerow_predictor_workers 2\n");
  expect(metrics).toContain("hedgerow_predictor_worker_restarts 0\n");
  close();
});
