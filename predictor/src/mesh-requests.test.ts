// What a mesh adds to a predictor: its own limit in a header, and requests that travel in a URL.
import { gzipSync } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { MAX_REQUEST_BYTES_HEADER } from "@hedgerow/proto";
import { GRPCInferenceService, ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Predictor } from "./predictor.ts";
import { runningPredictor } from "./testing/running-predictor.ts";

const LIMIT = 64 * 1024;
const PIXELS = 784;
let predictor: Predictor;
beforeAll(async () => {
  predictor = await runningPredictor({ maxRequestBytes: LIMIT });
});
afterAll(async () => await predictor[Symbol.asyncDispose]());

const pixels = new Uint8Array(PIXELS * 4);
const digit = (count: number): MessageInitShape<typeof ModelInferRequestSchema> => ({
  modelName: "digits",
  inputs: [{ name: "image", datatype: "FP32", shape: [BigInt(count), BigInt(PIXELS)] }],
  outputs: [{ name: "label" }],
  rawInputContents: [new Uint8Array(count * pixels.byteLength)],
});
const encoded = (count: number) =>
  Uint8Array.from(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, digit(count))));
const METHOD = "/inference.GRPCInferenceService/ModelInfer";

describe("by GET", () => {
  const client = (useBinaryFormat: boolean) =>
    createClient(
      GRPCInferenceService,
      createConnectTransport({
        baseUrl: `http://${predictor.address}`,
        httpVersion: "1.1",
        useHttpGet: true,
        useBinaryFormat,
      }),
    );

  test.each([true, false])("Connect's own client is answered (binary: %s)", async (binary) => {
    expect(await client(binary).modelMetadata({ name: "digits" })).toMatchObject({ versions: ["2", "1"] });
    expect(await client(binary).serverReady({})).toMatchObject({ ready: true });
    const { outputs } = await client(binary).modelInfer(digit(1));
    expect(outputs).toMatchObject([{ name: "label", shape: [1n] }]);
  });

  const get = async (query: string) => {
    const response = await fetch(`http://${predictor.address}${METHOD}?${query}`);
    const text = await response.text();
    return [response.status, text.startsWith("{") ? (JSON.parse(text) as { code?: string; message?: string }) : text];
  };
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");

  test("compressed", async () => {
    const message = base64(gzipSync(encoded(1)));
    const [status] = await get(`connect=v1&encoding=proto&base64=1&compression=gzip&message=${message}`);
    expect(status).toBe(200);
  });

  const empty = encodeURIComponent("{}");
  test.each([
    [400, "a message twice", () => `encoding=json&message=${empty}&message=${empty}`, "message is given twice"],
    [400, "a key twice", () => `encoding=json&message=${encodeURIComponent('{"id":"","id":""}')}`, /stands twice/],
    [
      429,
      "more objects than a body may have",
      () => `encoding=json&message=${"[".repeat(100)}`,
      /more than 40 objects and lists in each other/,
    ],
    [
      429,
      "a bomb",
      () => `encoding=proto&base64=1&compression=gzip&message=${base64(gzipSync(encoded(21)))}`,
      /has more than 65536 bytes/,
    ],
    [400, "what is not base64", () => "encoding=proto&base64=1&message=...", /not base64/],
  ])("%i for %s", async (status, _, query, message) => {
    expect(await get(query())).toEqual([
      status,
      expect.objectContaining({ message: expect.stringMatching(message) as string }),
    ]);
  });

  test("415 for another encoding", async () => {
    expect(await get(`encoding=text&message=${empty}`)).toEqual([415, ""]);
  });
});

describe("the limit of one request", () => {
  const post = async (count: number, limit: string) => {
    const headers = { "content-type": "application/proto", [MAX_REQUEST_BYTES_HEADER]: limit };
    const response = await fetch(`http://${predictor.address}${METHOD}`, {
      method: "POST",
      headers,
      body: encoded(count),
    });
    await response.arrayBuffer();
    return response.status;
  };

  test.each([
    ["less than configured", 2, "4096", 429],
    ["less, but enough", 1, "4096", 200],
    ["more than configured", 30, String(256 * 1024 * 1024), 200],
    ["below the least: as configured", 2, "1023", 200],
    ["beyond the largest: as configured", 30, String(256 * 1024 * 1024 + 1), 429],
    ["no number: as configured", 30, "1e6", 429],
    ["absent: as configured", 30, "", 429],
  ])("%s", async (_, count, limit, status) => {
    expect(await post(count, limit)).toBe(status);
  });
});
