// Must show 1 of the inspected path: whatever a request looks like, agent and predictor see the same model, version and
// tensors, or the predictor never gets it. HEDGEROW_AGREEMENT=100000 for the long run.
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ReadResult } from "../../src/inspect/decode/read-result.ts";
import { readRequest } from "../../src/inspect/read-request.ts";
import { type Comparison, compare } from "./compare.ts";
import { INDEX_HEADER, inspectingEnvoy } from "./envoy.ts";
import { messageOf } from "./message.ts";
import { type Answer, askerOf, type RunningPredictor, runPredictor } from "./predictor.ts";
import { randomOf } from "./random.ts";
import { INFER, type WireRequest, wireRequestOf } from "./wire.ts";

const SEED = Number(process.env["HEDGEROW_AGREEMENT_SEED"] ?? 20261124);
const COUNT = Number(process.env["HEDGEROW_AGREEMENT"] ?? 3000);
const LIMIT = 16 * 1024;
const PARALLEL = 16;
const THROUGH_ENVOY = Math.ceil(COUNT / 3);
const LONG_MS = 3_600_000;
/** So that whoever answers nevertheless is found out. */
const REFUSED_BY_ENVOY: ReadResult = { kind: "refused", protocol: "http", reason: "unsupported", message: "not asked" };

/** Where the agent refuses what the predictor reads, and why it should. */
const STRICTER: readonly (readonly [why: RegExp, reason: string])[] = [
  [
    /shared memory/,
    "Triton reads the tensor elsewhere; our predictor has no such extension and passes the parameter over",
  ],
  [/is not exactly one (gzip|deflate|br) stream/, "what follows a compressed stream, zlib drops or goes on with"],
  [/^ModelInfer with content-type/, "of a content-type that stands twice, node takes the first, and others the last"],
  [/^gRPC with a content-encoding/, "it means nothing to gRPC, and something to what stands before a server"],
  [/^a path of ModelInfer that is not written/, "a fragment in a path, which servers cut off or not"],
  [/^a body of … bytes, at most …/, "frame and all: Envoy may let a body through that goes on beyond what it shows"],
  [/^a GET with a body/, "servers read it or not"],
];

let predictor: RunningPredictor;
beforeAll(async () => {
  predictor = await runPredictor(LIMIT);
});
afterAll(async () => await predictor[Symbol.asyncDispose]());

/** As Envoy passes it on, and node's server joins it. */
async function agentReads({ method, path, headers, body }: WireRequest): Promise<ReadResult> {
  const joined: Record<string, string> = {};
  for (const [name, value] of headers) joined[name] = name in joined ? `${joined[name]}, ${value}` : value;
  return await readRequest({ method, path, headers: joined, body }, { maxRequestBytes: LIMIT });
}

interface Judgement {
  readonly bad: readonly string[];
  readonly few: readonly string[];
}
const ALL_GOOD: Judgement = { bad: [], few: [] };
type Reading = readonly [agent: ReadResult, answer: Answer];

/** Every request is made by a seed of its own, so that it can be made again alone. */
async function judge(
  count: number,
  read: (request: WireRequest, index: number) => Promise<Reading>,
): Promise<Judgement> {
  const tally = new Map<string, number>();
  const bad: string[] = [];
  const add = (name: string) => tally.set(name, (tally.get(name) ?? 0) + 1);
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next++;
      const random = randomOf(SEED + index * 2_654_435_761);
      const request = wireRequestOf(random, messageOf(random, predictor.models, LIMIT));
      const [agent, answer] = await read(request, index);
      const comparison: Comparison = compare(agent, answer, predictor.models);
      add(comparison.kind);
      add(`${request.encoding}: ${comparison.kind}`);
      if (comparison.kind === "only the agent refused") {
        add(`stricter: ${comparison.why}`);
        if (STRICTER.some(([why]) => why.test(comparison.why))) continue;
      } else if (comparison.kind !== "disagreement") continue;
      bad.push(`request ${index}, ${request.encoding}: ${comparison.kind}: ${comparison.why}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
  const lines = [...tally].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, times]) => `${times}\t${name}`);
  if (process.env["HEDGEROW_AGREEMENT"] !== undefined) console.log(lines.join("\n"));
  // The requests have to reach every side of it.
  const few = (["both read", "both refused"] as const).filter((kind) => (tally.get(kind) ?? 0) < count / 8);
  return { bad: bad.slice(0, 20), few };
}

test(`${COUNT} requests over every encoding of the predictor's, seed ${SEED}`, { timeout: LONG_MS }, async () => {
  using asker = askerOf(predictor.address);
  const judged = await judge(COUNT, async (request) => await Promise.all([agentReads(request), asker.ask(request)]));
  expect(judged).toEqual(ALL_GOOD);
});

test(`${THROUGH_ENVOY} of them through a real Envoy, which asks the agent`, { timeout: LONG_MS }, async () => {
  await using envoy = await inspectingEnvoy(predictor.address, LIMIT);
  using asker = askerOf(envoy.address);
  const judged = await judge(THROUGH_ENVOY, async (request, index) => {
    const headers = [...request.headers, [INDEX_HEADER, String(index)] as const];
    const answer = await asker.ask({ ...request, headers });
    return [envoy.readOf(index) ?? REFUSED_BY_ENVOY, answer];
  });
  expect(judged).toEqual(ALL_GOOD);
});

test("a second frame behind a first that ends where Envoy may cut: the agent never takes it for one", async () => {
  await using envoy = await inspectingEnvoy(predictor.address, LIMIT);
  using asker = askerOf(envoy.address);
  const framed = (bytes: number) => {
    const tensor = (count: number) =>
      toBinary(
        ModelInferRequestSchema,
        create(ModelInferRequestSchema, {
          modelName: "uint8",
          inputs: [{ name: "x", datatype: "UINT8", shape: [BigInt(count)] }],
          rawInputContents: [new Uint8Array(count)],
        }),
      );
    const message = tensor(bytes - 5 - (tensor(LIMIT).length - LIMIT));
    const header = Buffer.alloc(5);
    header.writeUInt32BE(message.length, 1);
    return Buffer.concat([header, message]);
  };
  const seen: unknown[] = [];
  let index = 0;
  for (const encoding of ["application/grpc", "application/grpc-web", "application/grpc-web-text"])
    for (let first = LIMIT - 4; first < LIMIT + 8; first++)
      for (const chunked of [true, false]) {
        const both = Buffer.concat([
          framed(encoding.endsWith("text") ? Math.floor(first / 4) * 3 : first),
          framed(200),
        ]);
        const body = encoding.endsWith("text") ? Buffer.from(both.toString("base64")) : both;
        const headers = [["content-type", encoding] as const, [INDEX_HEADER, String(++index)] as const];
        const http = encoding === "application/grpc" ? "2" : "1";
        await asker.ask({ encoding, http, method: "POST", path: INFER, headers, body, chunked });
        seen.push(envoy.readOf(index)?.kind ?? "refused");
      }
  expect(new Set(seen)).toEqual(new Set(["refused"]));
});
