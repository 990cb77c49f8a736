import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import http2 from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { grpcClient } from "@hedgerow/proto";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@hedgerow/proto/grpc/health/v1/health";
import { GRPCInferenceService, ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Predictor } from "./predictor.ts";
import { type Digit, heldBackDigits, PIXELS, rawPixels } from "./testing/held-back-digits.ts";
import { slowFile } from "./testing/onnx-file.ts";
import { runningPredictor } from "./testing/running-predictor.ts";

let predictor: Predictor;
let digits: readonly Digit[];
beforeAll(async () => {
  predictor = await runningPredictor();
  digits = heldBackDigits();
});
afterAll(async () => await predictor[Symbol.asyncDispose]());

const TRANSPORTS: readonly (readonly [string, (baseUrl: string) => Transport])[] = [
  [
    "Connect over HTTP/1.1",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  ],
  ["Connect over HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true })],
  ["Connect as JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
  [
    "Connect, gzipped",
    (baseUrl) =>
      createConnectTransport({ baseUrl, httpVersion: "1.1", sendCompression: compressionGzip, compressMinBytes: 0 }),
  ],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  [
    "gRPC, gzipped",
    (baseUrl) => createGrpcTransport({ baseUrl, sendCompression: compressionGzip, compressMinBytes: 0 }),
  ],
  ["gRPC-Web over HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["gRPC-Web over HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
];
const url = () => `http://${predictor.address}`;
const client = (transport = createGrpcTransport({ baseUrl: url() })) => createClient(GRPCInferenceService, transport);
const metricsOf = async ({ metricsAddress }: Predictor) =>
  await (await fetch(`http://${metricsAddress}/metrics`)).text();
const image = (count: number) => ({ name: "image", datatype: "FP32", shape: [BigInt(count), BigInt(PIXELS)] });
const labelsOf = (raw: Uint8Array | undefined) =>
  Array.from(new BigInt64Array(Uint8Array.from(raw ?? []).buffer), Number);
const errorOf = async (promise: Promise<unknown>) =>
  ConnectError.from(
    await promise.then(
      () => "no error",
      (e: unknown) => e,
    ),
  );

describe.each(TRANSPORTS)("%s", (_, transport) => {
  const connect = () => client(transport(url()));

  test("live, ready, metadata", async () => {
    expect(await connect().serverLive({})).toMatchObject({ live: true });
    expect(await connect().serverReady({})).toMatchObject({ ready: true });
    expect(await connect().serverMetadata({})).toMatchObject({ name: "hedgerow", version: "0.1.0" });
    expect(await connect().modelReady({ name: "digits", version: "1" })).toMatchObject({ ready: true });
    expect(await connect().modelReady({ name: "digits", version: "3" })).toMatchObject({ ready: false });
    expect(await connect().modelMetadata({ name: "digits" })).toMatchObject({
      name: "digits",
      versions: ["2", "1"],
      platform: "onnxruntime_onnx",
      inputs: [{ name: "image", datatype: "FP32", shape: [-1n, 784n] }],
      outputs: [
        { name: "label", datatype: "INT64", shape: [-1n] },
        { name: "probabilities", datatype: "FP32", shape: [-1n, 10n] },
      ],
    });
  });

  test("raw in, raw out; the id comes back; the highest version answers", async () => {
    const some = digits.filter((__, index) => index % 200 === 0);
    const response = await connect().modelInfer({
      modelName: "digits",
      id: "request-1",
      inputs: [image(some.length)],
      rawInputContents: [rawPixels(some)],
    });
    expect(response).toMatchObject({ modelName: "digits", modelVersion: "2", id: "request-1" });
    expect(response.outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
      ["label", "INT64", [BigInt(some.length)]],
      ["probabilities", "FP32", [BigInt(some.length), 10n]],
    ]);
    expect(labelsOf(response.rawOutputContents[0])).toEqual(some.map(({ label }) => label));
  });

  test("typed in, typed out; one output of a named version", async () => {
    const some = digits.slice(0, 1);
    const response = await connect().modelInfer({
      modelName: "digits",
      modelVersion: "1",
      inputs: [{ ...image(1), contents: { fp32Contents: some.flatMap(({ pixels }) => pixels) } }],
      outputs: [{ name: "probabilities" }],
    });
    expect(response.modelVersion).toBe("1");
    expect(response.rawOutputContents).toEqual([]);
    expect(response.outputs.map(({ name }) => name)).toEqual(["probabilities"]);
    const values = response.outputs[0]?.contents?.fp32Contents ?? [];
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(values.indexOf(Math.max(...values))).toBe(0);
  });

  test("what does not fit is refused with a code and the tensor's name", async () => {
    const unknown = await errorOf(connect().modelInfer({ modelName: "letters" }));
    expect([unknown.code, unknown.rawMessage]).toEqual([Code.NotFound, 'no model is named "letters"']);
    const version = await errorOf(connect().modelMetadata({ name: "digits", version: "7" }));
    expect([version.code, version.rawMessage]).toEqual([Code.NotFound, 'model "digits" has no version "7", only 2, 1']);
    const wrong = await errorOf(
      connect().modelInfer({
        modelName: "digits",
        inputs: [image(2)],
        rawInputContents: [rawPixels(digits.slice(0, 1))],
      }),
    );
    expect([wrong.code, wrong.rawMessage]).toEqual([
      Code.InvalidArgument,
      'input "image": 3136 raw bytes, expected 6272 for shape [2,784]',
    ]);
  });

  test("a request over the limit is refused, naming the limit; the connection goes on", async () => {
    const connected = connect();
    // Random, so that gzip can't make it small.
    const bytes = randomBytes(4 * 1024 * 1024);
    const error = await errorOf(connected.modelInfer({ modelName: "digits", rawInputContents: [bytes] }));
    expect([error.code, error.rawMessage]).toEqual([Code.ResourceExhausted, "the request has more than 4194304 bytes"]);
    expect(await connected.serverLive({})).toMatchObject({ live: true });
  });

  test("health", async () => {
    const health = createClient(Health, transport(url()));
    expect(await health.check({})).toMatchObject({ status: Status.SERVING });
    expect(await health.check({ service: "inference.GRPCInferenceService" })).toMatchObject({ status: Status.SERVING });
    expect((await errorOf(health.check({ service: "other" }))).code).toBe(Code.NotFound);
    for await (const { status: now } of health.watch({ service: "other" })) {
      expect(now).toBe(Status.SERVICE_UNKNOWN);
      break;
    }
  });
});

describe("a stock gRPC client", () => {
  const grpc = () => grpcClient(GRPCInferenceService, predictor.address, credentials.createInsecure());

  test.each([
    ["plain", {}],
    ["deflate", { "grpc.default_compression_algorithm": 1 }],
    ["gzip", { "grpc.default_compression_algorithm": 2 }],
  ])("%s", async (_, options) => {
    const channel = grpcClient(GRPCInferenceService, predictor.address, credentials.createInsecure(), options);
    const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
    channel.modelInfer(
      { modelName: "digits", inputs: [image(1)], rawInputContents: [rawPixels(digits.slice(-1))] },
      new Metadata(),
      {},
      (error, response) => (error ? reject(error) : resolve(labelsOf(response?.rawOutputContents[0]))),
    );
    expect(await promise).toEqual([9]);
    channel.close();
  });

  test("an early refusal of a large request arrives with its status", async () => {
    const channel = grpc();
    const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
    const rawInputContents = [new Uint8Array(32 * 1024 * 1024)];
    channel.modelInfer({ modelName: "digits", rawInputContents }, new Metadata(), {}, resolve);
    expect(await promise).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: "the request has more than 4194304 bytes",
    });
    channel.close();
  });
});

describe("accuracy on all held-back digits through the service is what models/digits/README.md says", () => {
  test.each([
    ["1", 1812],
    ["2", 1945],
  ])("version %s: %i of 1996 right", async (modelVersion, expected) => {
    let right = 0;
    for (let start = 0; start < digits.length; start += 100) {
      const batch = digits.slice(start, start + 100);
      const response = await client().modelInfer({
        modelName: "digits",
        modelVersion,
        inputs: [image(batch.length)],
        outputs: [{ name: "label" }],
        rawInputContents: [rawPixels(batch)],
      });
      const labels = labelsOf(response.rawOutputContents[0]);
      right += batch.filter(({ label }, index) => labels[index] === label).length;
    }
    expect(digits).toHaveLength(1996);
    // Sums round differently on other machines.
    expect(Math.abs(right - expected)).toBeLessThanOrEqual(2);
  });
});

describe("requests that no client sends", () => {
  const post = async (type: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
    const path = `${url()}/inference.GRPCInferenceService/ModelInfer`;
    const response = await fetch(path, { method: "POST", headers: { "content-type": type, ...headers }, body });
    return [response.status, await response.text()] as const;
  };

  test.each<[string, string, () => string | Uint8Array<ArrayBuffer>, Record<string, string>, string, RegExp]>([
    [
      "a million tensors",
      "application/proto",
      () => new Uint8Array(2_000_000).map((__, i) => (i % 2 === 0 ? 0x2a : 0)),
      {},
      "resource_exhausted",
      /more than 4096 tensors/,
    ],
    [
      "a million tensors as JSON",
      "application/json",
      () => `{"inputs":[${"{},".repeat(1_000_000)}{}]}`,
      {},
      "resource_exhausted",
      /more than 4096 objects/,
    ],
    [
      "a shape that claims 4 GiB",
      "application/json",
      () => '{"model_name":"digits","inputs":[{"name":"image","datatype":"FP32","shape":["1370000","784"]}]}',
      {},
      "invalid_argument",
      /more elements than a request can carry/,
    ],
    [
      "a gzip bomb",
      "application/proto",
      () => gzipSync(new Uint8Array(64 * 1024 * 1024)),
      { "content-encoding": "gzip" },
      "resource_exhausted",
      /more than 4194304 bytes/,
    ],
    [
      "what is not gzip",
      "application/proto",
      () => "no",
      { "content-encoding": "gzip" },
      "invalid_argument",
      /not gzip data/,
    ],
    [
      "an encoding that there is not",
      "application/proto",
      () => "no",
      { "content-encoding": "zip" },
      "unimplemented",
      /zip/,
    ],
    [
      "no protobuf",
      "application/proto",
      () => "\u00ff\u00ff\u00ff",
      {},
      "invalid_argument",
      /the request is no ModelInferRequest/,
    ],
    ["no JSON", "application/json", () => "{", {}, "invalid_argument", /JSON/],
    ["JSON of another shape", "application/json", () => '{"inputs":5}', {}, "invalid_argument", /inputs/],
  ])("%s", async (_, type, body, headers, code, message) => {
    const [, text] = await post(type, body(), headers);
    const answer = JSON.parse(text) as { code: string; message: string };
    expect(answer.code).toBe(code);
    expect(answer.message).toMatch(message);
  });

  test.each([
    ["a type that there is not", "text/plain", 415],
    ["none", "", 415],
  ])("content type: %s", async (_, type, expected) => {
    expect((await post(type, "x"))[0]).toBe(expected);
  });

  test.each([
    ["HTTP/1.0 without a host", "POST PATH HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"],
    [
      "a host that is none",
      "POST PATH HTTP/1.1\r\nhost: a b[\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    ],
  ])("%s: 400, and the process lives", async (_, request) => {
    const [host, port] = predictor.address.split(":");
    const socket = connect(Number(port), host);
    socket.end(request.replace("PATH", "/inference.GRPCInferenceService/ServerLive"));
    expect(String(await socket.toArray())).toMatch(/^HTTP\/1\.1 400 /);
    expect(await client().serverLive({})).toMatchObject({ live: true });
  });

  test("a path that there is not", async () => {
    expect((await fetch(`${url()}/inference.GRPCInferenceService/ModelStreamInfer`, { method: "POST" })).status).toBe(
      404,
    );
  });
});

describe("a model that takes its time", () => {
  let directory: string;
  let slow: Predictor;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "hedgerow-predictor-"));
    for (const [name, layers] of [
      ["slow", 40],
      ["slower", 400],
    ] as const) {
      await mkdir(join(directory, name, "1"), { recursive: true });
      await writeFile(join(directory, name, "1/model.onnx"), slowFile(layers));
    }
    slow = await runningPredictor({ modelsDir: directory });
  });
  afterAll(async () => {
    await slow[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  const matrix = (size: number) => ({
    modelName: "slow",
    inputs: [{ name: "x", datatype: "FP32", shape: [BigInt(size), BigInt(size)] }],
    rawInputContents: [new Uint8Array(4 * size * size)],
  });
  const connect = () => client(createGrpcTransport({ baseUrl: `http://${slow.address}` }));

  test("a deadline ends the call, and the next one is answered", async () => {
    const connected = connect();
    const error = await errorOf(connected.modelInfer(matrix(512), { timeoutMs: 20 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect((await connected.modelInfer(matrix(1))).outputs[0]?.shape).toEqual([1n, 1n]);
  });

  test("a caller who resets the stream, with whatever code, has canceled the call", async () => {
    await using own = await runningPredictor({ modelsDir: directory });
    const session = http2.connect(`http://${own.address}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ModelInfer",
      "content-type": "application/proto",
    });
    stream.on("error", () => {});
    stream.end(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, matrix(512))));
    while (!(await metricsOf(own)).includes("hedgerow_predictor_workers_busy 1\n")) expect(stream.closed).toBe(false);
    stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    const counted = /ModelInfer",code="(\w+)"/;
    while (!counted.test(await metricsOf(own))) expect(own.address).toBeDefined();
    expect(counted.exec(await metricsOf(own))?.[1]).toBe("canceled");
    session.destroy();
  });

  test("a drain waits for the call that is computed", async () => {
    const answer = connect().modelInfer(matrix(512));
    while (!(await metricsOf(slow)).includes("hedgerow_predictor_workers_busy 1\n")) expect(slow.address).toBeDefined();
    const drained = slow.drain();
    expect((await answer).outputs[0]?.shape).toEqual([512n, 512n]);
    expect(await drained).toBe(true);
  });

  test("a drain without time cuts calls off, and waits for what is computed nevertheless", async () => {
    await using own = await runningPredictor({ modelsDir: directory, drainSeconds: 0 });
    // Not Connect's client: it sometimes waits for ever on a connection that was cut.
    const channel = grpcClient(GRPCInferenceService, own.address, credentials.createInsecure());
    const { promise: failed, resolve } = Promise.withResolvers<ServiceError | null>();
    // Ten times slower, so that it is seen at work and still is when the drain begins.
    channel.modelInfer({ ...matrix(512), modelName: "slower" }, new Metadata(), {}, resolve);
    while (!(await metricsOf(own)).includes("hedgerow_predictor_workers_busy 1\n")) expect(own.address).toBeDefined();
    expect(await own.drain()).toBe(false);
    // Which code depends on what reached the client first: the reset, or the end of the connection.
    expect([status.UNAVAILABLE, status.CANCELLED, status.INTERNAL]).toContain((await failed)?.code);
    channel.close();
  });
});

test("metrics: calls by model, version, method and code, never a name that a caller made up", async () => {
  await using own = await runningPredictor();
  const baseUrl = `http://${own.address}`;
  const connected = client(createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  await connected.modelInfer({
    modelName: "digits",
    inputs: [image(1)],
    rawInputContents: [rawPixels(digits.slice(0, 1))],
  });
  await errorOf(connected.modelInfer({ modelName: "made-up" }));
  await errorOf(connected.modelInfer({ modelName: "digits" }));
  await fetch(`${baseUrl}/inference.GRPCInferenceService/ModelInfer`, { method: "POST", body: "x" });
  const text = await metricsOf(own);
  expect(
    text
      .split("\n")
      .filter((line) => line.startsWith("hedgerow_predictor_requests_total"))
      .toSorted(),
  ).toEqual([
    'hedgerow_predictor_requests_total{model="",version="",method="ModelInfer",code="not_found"} 1',
    'hedgerow_predictor_requests_total{model="",version="",method="ModelInfer",code="refused"} 1',
    'hedgerow_predictor_requests_total{model="digits",version="2",method="ModelInfer",code="invalid_argument"} 1',
    'hedgerow_predictor_requests_total{model="digits",version="2",method="ModelInfer",code="ok"} 1',
  ]);
  expect(text).toContain('hedgerow_predictor_inference_seconds_count{model="digits",version="2"} 1\n');
  expect(text).toContain('hedgerow_predictor_queue_seconds_count{model="digits",version="2"} 1\n');
  expect(text).toContain("hedgerow_predictor_queue_depth 0\n");
  expect(text).toContain("hedgerow_predictor_workers 1\n");
  expect(text).toMatch(/hedgerow_predictor_model_info\{model="digits",version="1",sha256="c09e5b6c[0-9a-f]{56}"\} 1\n/);
  expect(text).not.toContain("made-up");
});

test("drain: watchers hear NOT_SERVING and their stream ends", async () => {
  await using own = await runningPredictor();
  const health = createClient(Health, createGrpcTransport({ baseUrl: `http://${own.address}` }));
  const seen: Status[] = [];
  let drained: Promise<boolean> | undefined;
  for await (const { status: now } of health.watch({})) {
    seen.push(now);
    drained ??= own.drain();
  }
  expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING]);
  expect(await drained).toBe(true);
});

test.each([
  ["/healthz", 200],
  ["/readyz", 200],
  ["/", 404],
])("%s answers %i", async (path, expected) => {
  expect((await fetch(`http://${predictor.metricsAddress}${path}`)).status).toBe(expected);
});
