// Must show 1 of the inspected path: whatever a request looks like, agent and predictor see the same model, version and
// tensors, or the predictor never gets it. HEDGEROW_AGREEMENT=100000 for the long run.
import { afterAll, beforeAll, expect, test } from "vitest";
import { readRequest } from "../../src/inspect/read-request.ts";
import { type Comparison, compare } from "./compare.ts";
import { messageOf } from "./message.ts";
import { type RunningPredictor, runPredictor } from "./predictor.ts";
import { randomOf } from "./random.ts";
import { type WireRequest, wireRequestOf } from "./wire.ts";

const SEED = Number(process.env["HEDGEROW_AGREEMENT_SEED"] ?? 20261124);
const COUNT = Number(process.env["HEDGEROW_AGREEMENT"] ?? 3000);
const LIMIT = 16 * 1024;
const PARALLEL = 16;

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
async function agentReads({ method, path, headers, body }: WireRequest) {
  const joined: Record<string, string> = {};
  for (const [name, value] of headers) joined[name] = name in joined ? `${joined[name]}, ${value}` : value;
  return await readRequest({ method, path, headers: joined, body }, { maxRequestBytes: LIMIT });
}

test(`${COUNT} requests over every encoding of the predictor's, seed ${SEED}`, { timeout: 3_600_000 }, async () => {
  const tally = new Map<string, number>();
  const bad: string[] = [];
  const count = (name: string) => tally.set(name, (tally.get(name) ?? 0) + 1);
  let next = 0;
  const lane = async () => {
    while (next < COUNT) {
      const index = next++;
      // Each by its own seed, so that one can be run again alone.
      const random = randomOf(SEED + index * 2_654_435_761);
      const request = wireRequestOf(random, messageOf(random, predictor.models, LIMIT));
      const [agent, answer] = await Promise.all([agentReads(request), predictor.ask(request)]);
      const comparison: Comparison = compare(agent, answer, predictor.models);
      count(comparison.kind);
      count(`${request.encoding}: ${comparison.kind}`);
      if (comparison.kind === "only the agent refused") {
        count(`stricter: ${comparison.why}`);
        if (STRICTER.some(([why]) => why.test(comparison.why))) continue;
      } else if (comparison.kind !== "disagreement") continue;
      bad.push(`request ${index}, ${request.encoding}: ${comparison.kind}: ${comparison.why}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
  if (process.env["HEDGEROW_AGREEMENT"] !== undefined)
    console.log(
      [...tally]
        .toSorted(([a], [b]) => a.localeCompare(b))
        .map(([name, times]) => `${times}\t${name}`)
        .join("\n"),
    );
  expect(bad.slice(0, 20)).toEqual([]);
  // The requests reach every side of it.
  expect(tally.get("both read")).toBeGreaterThan(COUNT / 8);
  expect(tally.get("both refused")).toBeGreaterThan(COUNT / 8);
});
