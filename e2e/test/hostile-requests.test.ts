// Requests that two readers might read differently, through two real Envoys: the agent has seen what is in them, or refused.
import { once } from "node:events";
import { connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from "node:http2";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { create, type MessageInitShape, toBinary, toJson } from "@bufbuild/protobuf";
import { DECISION_HEADER } from "@hedgerow/proto";
import { ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { describe, expect, test } from "vitest";
import { PIXELS } from "../src/mesh/digits.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const NAME = "digits-v1-a";
const LIMIT_BYTES = 64 * 1024;
const mesh = withMesh({
  predictors: new Map([[NAME, "1"]]),
  weights: [1, 0],
  audit: "{durability: {fsync: each}}",
  maxRequestBytes: "64Ki",
});

const RPC = "/inference.GRPCInferenceService/ModelInfer";
const REST = "/v2/models/digits/infer";
const zeros = new Uint8Array(PIXELS * 4);
const image = { name: "image", datatype: "FP32", shape: [1n, BigInt(PIXELS)] };
const plain = { modelName: "digits", inputs: [image], rawInputContents: [zeros] };

function message(init: MessageInitShape<typeof ModelInferRequestSchema> = plain): Uint8Array {
  return toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init));
}

function frame(content: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

interface Sent {
  readonly path: string;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Without a content-length, in pieces. */
  readonly pieces?: boolean;
}

interface Told {
  readonly status: number;
  readonly grpcStatus: string | undefined;
  readonly decision: string;
}

async function send({ path, type, headers, body, pieces = false }: Sent): Promise<Told> {
  const session = connect(`http://127.0.0.1:${mesh().reader.localPort}`);
  session.on("error", () => undefined);
  try {
    const length = pieces ? {} : { "content-length": String(body.length) };
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": type,
      te: "trailers",
      ...length,
      ...headers,
    });
    // Refused before all of it was sent.
    stream.on("error", () => undefined);
    const answered = once(stream, "response");
    if (pieces) {
      for (let at = 0; at < body.length; at += 1000) stream.write(body.subarray(at, at + 1000));
      stream.end();
    } else stream.end(body);
    const [answer] = (await answered) as [IncomingHttpHeaders & IncomingHttpStatusHeader];
    let trailers: IncomingHttpHeaders = {};
    stream.once("trailers", (late: IncomingHttpHeaders) => {
      trailers = late;
    });
    await buffer(stream).catch(() => undefined);
    const decision = answer[DECISION_HEADER];
    return {
      status: answer[":status"] ?? 0,
      grpcStatus: String(answer["grpc-status"] ?? trailers["grpc-status"] ?? ""),
      decision: typeof decision === "string" ? decision : "",
    };
  } finally {
    session.close();
  }
}

const grpc = (body: Uint8Array, headers: Readonly<Record<string, string>> = {}): Sent => ({
  path: RPC,
  type: "application/grpc",
  headers,
  body,
});
const json = (text: string, path = RPC): Sent => ({ path, type: "application/json", body: Buffer.from(text) });

const asJson = JSON.stringify(toJson(ModelInferRequestSchema, create(ModelInferRequestSchema, plain)));
const input = '{"name":"image","datatype":"FP32","shape":[1,2],"data":[1,2]}';
const big = message({ ...plain, rawInputContents: [new Uint8Array(LIMIT_BYTES)] });
const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024));

async function decisionOf(id: string) {
  return await until("its record", 10_000, () =>
    mesh()
      .mesh.records(NAME)
      .find((one) => one.type === "decision" && one.id === id),
  );
}

describe("refused", () => {
  test.each<[what: string, sent: Sent, reason: string]>([
    ["a second message behind the first", grpc(Buffer.concat([frame(message()), frame(message())])), "malformed"],
    ["bytes behind the message", grpc(Buffer.concat([frame(message()), Buffer.from("x")])), "malformed"],
    ["bytes that the frame's length leaves out", grpc(frame(message()).subarray(0, -1)), "malformed"],
    ["a key of JSON twice", json(asJson.replace("{", '{"modelName":"other",')), "malformed"],
    ["a key of REST twice", json(`{"inputs":[${input}],"inputs":[]}`, REST), "malformed"],
    ["text behind the JSON", json(`${asJson}{}`), "malformed"],
    [
      "a datatype that nobody knows",
      grpc(frame(message({ ...plain, inputs: [{ ...image, datatype: "FP7" }] }))),
      "malformed",
    ],
    [
      "contents and raw contents at once",
      grpc(frame(message({ ...plain, inputs: [{ ...image, contents: { fp32Contents: [1] } }] }))),
      "malformed",
    ],
    [
      "fewer bytes than the shape asks for",
      grpc(frame(message({ ...plain, rawInputContents: [new Uint8Array(4)] }))),
      "malformed",
    ],
    ["another content type", { path: RPC, type: "text/plain", body: frame(message()) }, "unsupported"],
    ["a compression that nobody knows", grpc(frame(message(), 1), { "grpc-encoding": "zopfli" }), "unsupported"],
    ["compressed without saying how", grpc(frame(gzipSync(message()), 1)), "malformed"],
    [
      "a compressed bomb",
      grpc(frame(bomb.subarray(0, LIMIT_BYTES - 100), 1), { "grpc-encoding": "gzip" }),
      "too_large",
    ],
    [
      "two compressed streams",
      grpc(frame(Buffer.concat([gzipSync(message()), gzipSync(message())]), 1), { "grpc-encoding": "gzip" }),
      "malformed",
    ],
  ])("%s", async (_, sent, reason) => {
    const { status, grpcStatus, decision } = await send(sent);
    const record = await decisionOf(decision);
    expect(record).toMatchObject({ verdict: "deny", reason });
    // gRPC says it in its own status.
    expect([200, 0]).not.toContain(sent.type === "application/grpc" ? Number(grpcStatus) : status);
  });

  test.each([
    ["with a length", false],
    ["in pieces", true],
  ])("over the limit, %s", async (_, pieces) => {
    const { grpcStatus, decision } = await send({ ...grpc(frame(big)), pieces });
    expect(grpcStatus).toBe("8");
    expect(decision).not.toBe("");
  });
});

describe("seen", () => {
  test.each<[what: string, sent: Sent]>([
    ["a message", grpc(frame(message()))],
    ["a message in pieces", { ...grpc(frame(message())), pieces: true }],
    ["a compressed message", grpc(frame(gzipSync(message()), 1), { "grpc-encoding": "gzip" })],
    ["JSON", json(asJson)],
    ["compressed JSON", { ...json(asJson), headers: { "content-encoding": "gzip" }, body: gzipSync(asJson) }],
  ])("%s", async (_, sent) => {
    const { status, grpcStatus, decision } = await send(sent);
    expect([status, grpcStatus]).toEqual([200, sent.type === "application/grpc" ? "0" : ""]);
    expect(await decisionOf(decision)).toMatchObject({
      verdict: "allow",
      method: "infer",
      model: "digits",
      inputs: [{ name: "image", datatype: "FP32", shape: [1, PIXELS] }],
      bodyBytes: sent.body.length,
    });
  });

  test("a field twice, of which every reader of protocol buffers takes the last", async () => {
    const other = create(ModelInferRequestSchema, { modelName: "other" });
    const both = Buffer.concat([message(), toBinary(ModelInferRequestSchema, other)]);
    const { grpcStatus, decision } = await send(grpc(frame(both)));
    expect(await decisionOf(decision)).toMatchObject({ verdict: "allow", model: "other" });
    // NOT_FOUND, of the predictor.
    expect(grpcStatus).toBe("5");
  });
});
