// Digests of answers: what the ledger says of an answer can be computed from what the caller got.
import { createHmac } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import type { LedgerRecord } from "@hedgerow/ledger";
import { DECISION_HEADER } from "@hedgerow/proto";
import { ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { expect, test } from "vitest";
import { PIXELS } from "../src/mesh/digits.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const mesh = withMesh({ audit: "{digests: {output: true}}" });
const RPC = "/inference.GRPCInferenceService/ModelInfer";

/** A request for as many digits, encoded. */
function message(digits: number): Uint8Array {
  const image = mesh().digit.bytes;
  return toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: "digits",
      inputs: [{ name: "image", datatype: "FP32", shape: [BigInt(digits), BigInt(PIXELS)] }],
      rawInputContents: [Buffer.concat(Array.from({ length: digits }, () => image))],
    }),
  );
}

function framed(content: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What comes back over the wire, byte by byte. */
async function post(contentType: string, body: Uint8Array): Promise<Got> {
  const session = connect(`http://127.0.0.1:${mesh().reader.localPort}`);
  try {
    const stream = session.request({ ":method": "POST", ":path": RPC, "content-type": contentType, te: "trailers" });
    const { promise, resolve, reject } = Promise.withResolvers<Got>();
    const parts: Buffer[] = [];
    let headers: IncomingHttpHeaders = {};
    stream.on("response", (got) => {
      headers = got;
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => resolve({ headers, body: Buffer.concat(parts) }));
    stream.on("error", reject);
    stream.end(body);
    return await promise;
  } finally {
    session.destroy();
  }
}

function records(): readonly LedgerRecord[] {
  return mesh().mesh.predictors.flatMap(({ name }) => mesh().mesh.records(name));
}

/** The keys that the agents made, one of which digested an answer. */
function digestsOf(body: Buffer): readonly string[] {
  return mesh().mesh.predictors.flatMap(({ name }) => {
    const audit = join(mesh().mesh.directory, "run", name, "audit");
    return readdirSync(audit)
      .map((entry) => join(audit, entry, "digest.key"))
      .filter((path) => existsSync(path))
      .map((path) => createHmac("sha256", readFileSync(path)).update(body).digest("base64url"));
  });
}

async function outcomeOf({ headers }: Got) {
  const id = headers[DECISION_HEADER];
  const found = await until("its outcome", 10_000, () =>
    records().find((record) => record.type === "outcome" && record.id === id),
  );
  if (found.type !== "outcome") throw new Error("no outcome");
  return found;
}

test.each([
  ["gRPC", "application/grpc", () => framed(message(1))],
  ["Connect", "application/proto", () => message(1)],
  ["Connect, refused by the application", "application/proto", () => message(0)],
  ["a thousand digits in gRPC", "application/grpc", () => framed(message(1000))],
])("a digest of the answer: %s", async (_, contentType, body) => {
  const got = await post(contentType, body());
  const { outputDigest, bytesSent } = await outcomeOf(got);
  expect(bytesSent).toBe(got.body.length);
  expect(digestsOf(got.body)).toContain(outputDigest);
});

test("no digest of a denial, which is the agent's own", async () => {
  const got = await post("application/grpc", framed(Buffer.from("no message")));
  expect((await outcomeOf(got)).outputDigest).toBeUndefined();
});
