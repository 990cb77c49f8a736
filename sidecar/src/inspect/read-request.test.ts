import { gzipSync } from "node:zlib";
import { create, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ReadResult } from "./decode/read-result.ts";
import { readRequest } from "./read-request.ts";

type Init = MessageInitShape<typeof ModelInferRequestSchema>;
type Headers = Readonly<Record<string, string>>;

const limits = { maxRequestBytes: 4096 };
const INFER = "/inference.GRPCInferenceService/ModelInfer";
const post = async (headers: Headers, body: Uint8Array, path = INFER): Promise<ReadResult> =>
  await readRequest({ method: "POST", path, headers, body: Buffer.from(body) }, limits);
const frame = (message: Uint8Array, flags = 0, length = message.length) => {
  const header = Buffer.alloc(5);
  header.writeUInt8(flags);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, message]);
};
const binary = (init: Init) => Buffer.from(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init)));

const pixels = Buffer.from(Float32Array.of(1, 2).buffer);
const raw: Init = {
  modelName: "digits",
  modelVersion: "2",
  id: "7",
  inputs: [{ name: "image", datatype: "FP32", shape: [1n, 2n] }],
  rawInputContents: [pixels],
};
const typed: Init = {
  modelName: "digits",
  inputs: [{ name: "image", datatype: "FP32", shape: [1n, 2n], contents: { fp32Contents: [1, 2] } }],
};
const message = binary(raw);
const json = Buffer.from(toJsonString(ModelInferRequestSchema, create(ModelInferRequestSchema, typed)));
const rawRead = {
  kind: "infer",
  model: "digits",
  version: "2",
  id: "7",
  inputs: [{ name: "image", datatype: "FP32", shape: [1, 2], data: { kind: "bytes", bytes: pixels } }],
  decoded: message,
};
const jsonRead = {
  kind: "infer",
  model: "digits",
  version: undefined,
  id: "",
  inputs: [{ name: "image", datatype: "FP32", shape: [1, 2], data: { kind: "values", values: [1, 2] } }],
  decoded: json,
};
/** A buffer and a plain array of the same bytes are the same. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? new Uint8Array(value)
    : Array.isArray(value)
      ? value.map(plain)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
        : value;
const base64 = (bytes: Uint8Array, ...cuts: number[]) => {
  const ends = [...cuts, bytes.length];
  return Buffer.from(
    ends.map((end, index) => Buffer.from(bytes.subarray(ends[index - 1] ?? 0, end)).toString("base64")).join(""),
  );
};

describe("every encoding", () => {
  test.each<[string, string, Headers, Uint8Array, object]>([
    ["gRPC", "grpc", { "content-type": "application/grpc" }, frame(message), rawRead],
    ["gRPC, as some name it", "grpc", { "content-type": "application/GRPC+proto" }, frame(message), rawRead],
    [
      "gRPC, gzipped",
      "grpc",
      { "content-type": "application/grpc", "grpc-encoding": "gzip" },
      frame(gzipSync(message), 1),
      rawRead,
    ],
    [
      "gRPC, which could be gzipped",
      "grpc",
      { "content-type": "application/grpc", "grpc-encoding": "gzip" },
      frame(message),
      rawRead,
    ],
    ["gRPC with JSON", "grpc", { "content-type": "application/grpc+json" }, frame(json), jsonRead],
    ["gRPC-Web", "grpc-web", { "content-type": "application/grpc-web+proto" }, frame(message), rawRead],
    ["gRPC-Web as text", "grpc-web", { "content-type": "application/grpc-web-text" }, base64(frame(message)), rawRead],
    [
      "gRPC-Web as text in padded parts",
      "grpc-web",
      { "content-type": "application/grpc-web-text" },
      base64(frame(message), 5, 9),
      rawRead,
    ],
    ["Connect", "connect", { "content-type": "application/proto" }, message, rawRead],
    [
      "Connect, gzipped",
      "connect",
      { "content-type": "application/proto", "content-encoding": "gzip" },
      gzipSync(message),
      rawRead,
    ],
    ["Connect as JSON", "connect", { "content-type": "application/json; charset=utf-8" }, json, jsonRead],
  ])("%s", async (_, protocol, headers, body, expected) => {
    expect(plain(await post(headers, body))).toEqual(plain({ ...expected, protocol }));
  });

  test("Connect by GET", async () => {
    const get = async (query: string, body = Buffer.alloc(0)) =>
      await readRequest({ method: "GET", path: `${INFER}?${query}`, headers: {}, body }, limits);
    const query = `connect=v1&encoding=json&message=${encodeURIComponent(json.toString())}`;
    expect(plain(await get(query))).toEqual(plain({ ...jsonRead, protocol: "connect" }));
    const packed = `base64=1&compression=gzip&encoding=proto&message=${gzipSync(message).toString("base64url")}`;
    expect(await get(packed)).toEqual({ ...rawRead, protocol: "connect" });
    expect(await get(`${query}&message=e30`)).toMatchObject({ reason: "malformed", message: "message is given twice" });
    expect(await get(query, Buffer.from("x"))).toMatchObject({ reason: "malformed", message: "a GET with a body" });
    expect(await get("encoding=text&message=")).toMatchObject({ reason: "unsupported" });
  });

  test("raw tensors are views into the body", async () => {
    const body = frame(message);
    const read = await readRequest(
      { method: "POST", path: INFER, headers: { "content-type": "application/grpc" }, body },
      limits,
    );
    const data = read.kind === "infer" ? read.inputs[0]?.data : undefined;
    expect(data?.kind === "bytes" && data.bytes.buffer === body.buffer).toBe(true);
  });
});

test.each([
  ["metadata", "/inference.GRPCInferenceService/ModelMetadata", { method: "metadata", protocol: "grpc" }],
  ["a stream", "/inference.GRPCInferenceService/ModelStreamInfer", { method: "stream", protocol: "grpc" }],
  ["a path that we don't know", "/any/thing", { method: "http", protocol: "grpc" }],
])("%s is not looked into", async (_, path, expected) => {
  const read = await post({ "content-type": "application/grpc" }, Buffer.from("anything"), path);
  expect(read).toEqual({ kind: "other", ...expected });
});

describe("what is not certain is refused", () => {
  const grpc = { "content-type": "application/grpc" };
  const gzipped = { ...grpc, "grpc-encoding": "gzip" };
  const asJson = { "content-type": "application/json" };
  const text = (from: string | RegExp, to: string) => Buffer.from(json.toString().replace(from, to));
  test.each<[string, string, Headers, Uint8Array, string | RegExp]>([
    ["empty", "malformed", grpc, Buffer.alloc(0), "a frame of 0 bytes"],
    [
      "a hidden second frame",
      "malformed",
      grpc,
      Buffer.concat([frame(message), frame(message)]),
      /expected one message/,
    ],
    ["trailing bytes", "malformed", grpc, Buffer.concat([frame(message), Buffer.alloc(1)]), /expected one message/],
    ["a frame cut short", "malformed", grpc, frame(message).subarray(0, -1), /expected one message/],
    ["flags of trailers", "malformed", grpc, frame(message, 0x80), "a frame with flags 128"],
    ["a compressed frame, not said how", "malformed", grpc, frame(gzipSync(message), 1), /no header says how/],
    [
      "a frame that is not compressed, though it says so",
      "malformed",
      gzipped,
      frame(message, 1),
      /not exactly one gzip stream/,
    ],
    [
      "another compression",
      "unsupported",
      { ...grpc, "grpc-encoding": "snappy" },
      frame(message),
      'grpc-encoding "snappy"',
    ],
    [
      "a compression in capitals",
      "unsupported",
      { ...grpc, "grpc-encoding": "GZIP" },
      frame(message),
      'grpc-encoding "GZIP"',
    ],
    [
      "gRPC with a content-encoding",
      "unsupported",
      { ...grpc, "content-encoding": "gzip" },
      frame(message),
      /content-encoding/,
    ],
    [
      "two content-encodings",
      "unsupported",
      { "content-type": "application/proto", "content-encoding": "gzip, gzip" },
      message,
      /content-encoding/,
    ],
    ["a bomb", "too_large", gzipped, frame(gzipSync(Buffer.alloc(8192)), 1), "more than 4096 bytes, decompressed"],
    ["a body over the limit, which may go on", "too_large", grpc, frame(Buffer.alloc(4092)), /a body of 4097 bytes/],
    [
      "a body that Envoy says is cut",
      "too_large",
      { ...grpc, "x-envoy-auth-partial-body": "false, true" },
      frame(message),
      "a body that is cut",
    ],
    ["no content-type", "unsupported", {}, message, 'ModelInfer with content-type ""'],
    ["another content-type", "unsupported", { "content-type": "text/plain" }, message, /content-type "text\/plain"/],
    [
      "two content-types",
      "unsupported",
      { "content-type": "application/json, application/proto" },
      json,
      /content-type/,
    ],
    [
      "a content-type with a parameter",
      "unsupported",
      { "content-type": "application/grpc; x=1" },
      frame(message),
      /content-type/,
    ],
    [
      "Connect's type of streams",
      "unsupported",
      { "content-type": "application/connect+proto" },
      frame(message),
      /content-type/,
    ],
    [
      "base64 that is none",
      "malformed",
      { "content-type": "application/grpc-web-text" },
      Buffer.from("AAA*"),
      "the body is not base64",
    ],
    [
      "base64 cut short",
      "malformed",
      { "content-type": "application/grpc-web-text" },
      Buffer.from("AAAAA"),
      "the body is not base64",
    ],
    ["a string that is not UTF-8", "malformed", grpc, frame(Buffer.of(0x0a, 1, 0xff)), "model_name is not UTF-8"],
    [
      "JSON with a key twice",
      "malformed",
      asJson,
      text("{", '{"modelName":"other",'),
      'the key "modelName" stands twice in one object',
    ],
    [
      "JSON with a field under both its names",
      "malformed",
      asJson,
      text("{", '{"model_name":"other",'),
      /set multiple times/,
    ],
    [
      "JSON with an escaped key",
      "malformed",
      asJson,
      text("{", String.raw`{"model\u004eame":"other",`),
      /stands twice/,
    ],
    ["JSON with a number that is none", "malformed", asJson, text("[1,2]", "[NaN,2]"), /JSON/],
    ["JSON with a number out of range", "malformed", asJson, text("[1,2]", "[1e39,2]"), /fp32_contents/],
    [
      "JSON of too many levels",
      "too_large",
      asJson,
      text("{", `{"x":${"[".repeat(40)}${"]".repeat(40)},`),
      /more than 40/,
    ],
    ["JSON with a byte-order mark", "malformed", asJson, text("{", "\ufeff{"), /byte-order mark/],
    ["JSON with more behind it", "malformed", asJson, text(/$/, "{}"), /JSON/],
    ["JSON with half a character", "malformed", asJson, text('"digits"', String.raw`"\ud800"`), /invalid UTF8/],
  ])("%s", async (_, reason, headers, body, problem) => {
    const read = await post(headers, body);
    expect(read).toMatchObject({ kind: "refused", reason });
    expect(read.kind === "refused" && read.message).toMatch(problem);
  });

  const input = { name: "x", datatype: "FP32", shape: [2n] };
  const string = Buffer.concat([Buffer.of(2, 0, 0, 0), Buffer.from("hi")]);
  test.each<[string, Init, string | RegExp]>([
    [
      "an unknown datatype",
      { inputs: [{ ...input, datatype: "FP128" }], rawInputContents: [pixels] },
      /unknown datatype "FP128"/,
    ],
    [
      "a datatype of every object",
      { inputs: [{ ...input, datatype: "toString" }], rawInputContents: [pixels] },
      /unknown datatype/,
    ],
    [
      "contents and raw at once",
      { inputs: [{ ...input, contents: { fp32Contents: [1, 2] } }], rawInputContents: [pixels] },
      /both contents and raw/,
    ],
    ["neither", { inputs: [input] }, /neither contents nor raw/],
    [
      "too few raw entries",
      { inputs: [input, { ...input, name: "y" }], rawInputContents: [pixels] },
      /1 entries in raw_input_contents for 2 inputs/,
    ],
    [
      "too many raw entries",
      { inputs: [input], rawInputContents: [pixels, pixels] },
      /2 entries in raw_input_contents for 1 inputs/,
    ],
    [
      "raw bytes that the shape does not ask for",
      { inputs: [{ ...input, shape: [3n] }], rawInputContents: [pixels] },
      /8 raw bytes, expected 12/,
    ],
    [
      "values that the shape does not ask for",
      { inputs: [{ ...input, contents: { fp32Contents: [1] } }] },
      /1 values, expected 2/,
    ],
    [
      "values in another field, too",
      { inputs: [{ ...input, contents: { fp32Contents: [1, 2], intContents: [1] } }] },
      /values in intContents/,
    ],
    [
      "a negative dimension",
      { inputs: [{ ...input, shape: [-2n] }], rawInputContents: [pixels] },
      /a dimension that is no integer from 0/,
    ],
    [
      "a shape that overflows",
      { inputs: [{ ...input, shape: [2n ** 32n, 2n ** 32n] }], rawInputContents: [pixels] },
      /more elements/,
    ],
    [
      "a shape that overflows to what fits",
      { inputs: [{ ...input, shape: [2n ** 63n - 1n, 2n] }], rawInputContents: [pixels] },
      /more elements/,
    ],
    [
      "too many dimensions",
      { inputs: [{ ...input, shape: Array<bigint>(33).fill(1n) }], rawInputContents: [pixels] },
      /33 dimensions/,
    ],
    ["an input twice", { inputs: [input, input], rawInputContents: [pixels, pixels] }, /named twice/],
    [
      "a bool that is none",
      { inputs: [{ ...input, datatype: "BOOL" }], rawInputContents: [Buffer.of(1, 2)] },
      /expected 0 or 1 for BOOL/,
    ],
    [
      "a value out of range",
      { inputs: [{ ...input, datatype: "INT8", contents: { intContents: [1, 128] } }] },
      /out of the range of INT8/,
    ],
    [
      "FP16 in contents",
      { inputs: [{ ...input, datatype: "FP16", contents: { fp32Contents: [1, 2] } }] },
      /travels raw only/,
    ],
    [
      "BYTES that end early",
      { inputs: [{ ...input, datatype: "BYTES" }], rawInputContents: [Buffer.concat([string, string.subarray(0, 5)])] },
      /end within an element/,
    ],
    [
      "BYTES too few",
      { inputs: [{ ...input, datatype: "BYTES" }], rawInputContents: [string] },
      /1 BYTES elements, expected 2/,
    ],
    [
      "a tensor in shared memory",
      {
        inputs: [
          { ...input, parameters: { shared_memory_region: { parameterChoice: { case: "stringParam", value: "r" } } } },
        ],
        rawInputContents: [pixels],
      },
      /shared memory/,
    ],
  ])("%s", async (_, init, problem) => {
    const read = await post(grpc, frame(binary({ modelName: "m", ...init })));
    expect(read).toMatchObject({ kind: "refused", protocol: "grpc", reason: "malformed" });
    expect(read.kind === "refused" && read.message).toMatch(problem);
  });

  test("more objects than any model has", async () => {
    const writer = new BinaryWriter();
    for (let i = 0; i < 4097; i++) writer.tag(7, WireType.LengthDelimited).bytes(new Uint8Array());
    const many = await readRequest(
      { method: "POST", path: INFER, headers: grpc, body: frame(writer.finish()) },
      { maxRequestBytes: 100_000 },
    );
    expect(many).toMatchObject({ kind: "refused", reason: "too_large" });
  });

  test("a path in disguise, and a method that infers nothing", async () => {
    expect(await post(grpc, frame(message), `${INFER}/`)).toMatchObject({ kind: "refused", reason: "unsupported" });
    const by = async (method: string) =>
      await readRequest({ method, path: INFER, headers: grpc, body: frame(message) }, limits);
    expect(await by("PUT")).toMatchObject({ kind: "refused", reason: "unsupported", message: "ModelInfer by PUT" });
    expect(await by("OPTIONS")).toMatchObject({ kind: "other", method: "http" });
  });
});

test("BYTES are read, raw and typed", async () => {
  const strings = [Buffer.from("hi"), Buffer.from("")];
  const rawStrings = Buffer.concat(strings.flatMap((text) => [Buffer.of(text.length, 0, 0, 0), text]));
  const input = { name: "x", datatype: "BYTES", shape: [2n] };
  const headers = { "content-type": "application/proto" };
  const read = async (init: Init) => await post(headers, binary({ modelName: "m", ...init }));
  const rawInput = await read({ inputs: [input], rawInputContents: [rawStrings] });
  expect(rawInput).toMatchObject({ inputs: [{ datatype: "BYTES", shape: [2], data: { bytes: rawStrings } }] });
  const typedInput = await read({ inputs: [{ ...input, contents: { bytesContents: strings } }] });
  expect(typedInput).toMatchObject({ inputs: [{ data: { kind: "values", values: strings } }] });
});

test("nothing makes it throw, and nothing that is read has more than the limit", async () => {
  const rest = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [[1, 2]] }] });
  const bodies = [
    frame(message),
    frame(gzipSync(message), 1),
    message,
    json,
    Buffer.from(rest),
    base64(frame(message)),
    pixels,
  ];
  const types = ["grpc", "grpc+json", "grpc-web", "grpc-web-text", "proto", "json", "octet-stream", "x"];
  const request = fc.record({
    method: fc.constantFrom("POST", "POST", "GET", "PUT"),
    path: fc.constantFrom(INFER, INFER, "/v2/models/m/infer", `${INFER}?encoding=json&message=%7B%7D`, "/v2", "", "*"),
    type: fc.constantFrom(...types),
    encoding: fc.constantFrom("", "gzip", "deflate", "br", "identity", "x"),
    headerLength: fc.constantFrom("", "", "80", "x"),
    body: fc.constantFrom(...bodies),
    edits: fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
    length: fc.option(fc.nat(300)),
  });
  const within = fc.asyncProperty(
    request,
    async ({ method, path, type, encoding, headerLength, body, edits, length }) => {
      const changed = Buffer.from(body.subarray(0, length ?? body.length));
      for (const [at, value] of edits) if (at < changed.length) changed[at] = value;
      const headers = {
        "content-type": `application/${type}`,
        "content-encoding": type.startsWith("grpc") ? "" : encoding,
        "grpc-encoding": encoding,
        "inference-header-content-length": headerLength,
      };
      const read = await readRequest({ method, path, headers, body: changed }, { maxRequestBytes: 1024 });
      switch (read.kind) {
        case "infer":
          return read.decoded.byteLength <= 1024;
        case "refused":
          return read.message.length <= 1500;
        case "other":
          return true;
      }
    },
  );
  expect(await fc.check(within, { numRuns: 3000 })).toMatchObject({ failed: false });
});
