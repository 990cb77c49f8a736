import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readRequest } from "../read-request.ts";
import type { TensorData, TensorView } from "./read-result.ts";

type Values = Extract<TensorData, { kind: "values" }>["values"];

const text = (value: string) => new TextEncoder().encode(value);
const view = (name: string, datatype: string, shape: number[], data: TensorData): TensorView => ({
  name,
  datatype,
  shape,
  data,
});
const bytes = ({ buffer }: ArrayBufferView): TensorData => ({ kind: "bytes", bytes: new Uint8Array(buffer) });
const values = (...elements: Values): TensorData => ({ kind: "values", values: elements });
const strings = (...all: string[]) => Uint8Array.from(all.flatMap((one) => [text(one).length, 0, 0, 0, ...text(one)]));

const read = async (body: Uint8Array, headers: Readonly<Record<string, string>> = {}, model = "m") =>
  await readRequest(
    { method: "POST", path: `/v2/models/${model}/infer`, headers, body: Buffer.from(body) },
    { maxRequestBytes: 8192 },
  );
const withTail = (json: string, tail: Uint8Array) => Buffer.concat([text(json), tail]);
const plain = (inputs: readonly TensorView[]) =>
  inputs.map((input) => ({
    ...input,
    data: input.data.kind === "bytes" ? { kind: "bytes", bytes: new Uint8Array(input.data.bytes) } : input.data,
  }));

describe("what tritonclient 2 sends", () => {
  // Of its generate_request_body, with numpy's arrays.
  test.each<[string, string, string, TensorView[]]>([
    [
      "binary FP32 and INT64",
      '{"id":"7","inputs":[{"name":"image","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}},{"name":"n","shape":[2],"datatype":"INT64","parameters":{"binary_data_size":16}}],"outputs":[{"name":"label","parameters":{"binary_data":true}}]}',
      "0000c03f000000c001000000000020000000000000000080",
      [
        view("image", "FP32", [1, 2], bytes(Float32Array.of(1.5, -2))),
        view("n", "INT64", [2], bytes(BigInt64Array.of(2n ** 53n + 1n, -(2n ** 63n)))),
      ],
    ],
    [
      "JSON INT64 beyond a double",
      '{"id":"7","inputs":[{"name":"n","shape":[2],"datatype":"INT64","data":[9007199254740993,-9223372036854775808]}],"outputs":[{"name":"label","parameters":{"binary_data":true}}]}',
      "",
      [view("n", "INT64", [2], values(2n ** 53n + 1n, -(2n ** 63n)))],
    ],
    [
      "JSON FP32",
      '{"id":"7","inputs":[{"name":"image","shape":[2,2],"datatype":"FP32","data":[1.5,-2.0,0.10000000149011612,3.3999999521443642e+38]}],"outputs":[{"name":"label","parameters":{"binary_data":true}}]}',
      "",
      [view("image", "FP32", [2, 2], values(1.5, -2, Math.fround(0.1), Math.fround(3.4e38)))],
    ],
    [
      "JSON BOOL and binary BOOL",
      '{"id":"7","inputs":[{"name":"a","shape":[2],"datatype":"BOOL","data":[true,false]},{"name":"b","shape":[2,1],"datatype":"BOOL","parameters":{"binary_data_size":2}}],"outputs":[{"name":"label","parameters":{"binary_data":true}}]}',
      "0100",
      [view("a", "BOOL", [2], values(true, false)), view("b", "BOOL", [2, 1], bytes(Uint8Array.of(1, 0)))],
    ],
    [
      "strings, binary and JSON",
      String.raw`{"id":"7","inputs":[{"name":"s","shape":[3],"datatype":"BYTES","parameters":{"binary_data_size":18}},{"name":"t","shape":[2],"datatype":"BYTES","data":["hi","\uD83C\uDF3F"]}],"outputs":[{"name":"label","parameters":{"binary_data":true}}]}`,
      "0200000068690000000004000000f09f8cbf",
      [
        view("s", "BYTES", [3], bytes(strings("hi", "", "\u{1f33f}"))),
        view("t", "BYTES", [2], values(text("hi"), text("\u{1f33f}"))),
      ],
    ],
    [
      "FP16 and UINT8, binary",
      '{"id":"7","inputs":[{"name":"h","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},{"name":"u","shape":[1,2],"datatype":"UINT8","parameters":{"binary_data_size":2}}],"outputs":[{"name":"label","parameters":{"binary_data":true}}]}',
      "003cff7b00ff",
      [
        view("h", "FP16", [2], bytes(Uint16Array.of(0x3c00, 0x7bff))),
        view("u", "UINT8", [1, 2], bytes(Uint8Array.of(0, 255))),
      ],
    ],
  ])("%s", async (_, json, tail, expected) => {
    const body = withTail(json, Buffer.from(tail, "hex"));
    const headers = tail === "" ? {} : { "inference-header-content-length": String(text(json).length) };
    const check = async (sent: Uint8Array, encoding: Readonly<Record<string, string>>) => {
      const result = await read(sent, { ...headers, ...encoding });
      expect(result).toMatchObject({ kind: "infer", protocol: "rest", model: "m", version: undefined, id: "7" });
      if (result.kind !== "infer") return;
      expect(plain(result.inputs)).toEqual(expected);
      expect(Buffer.from(result.decoded)).toEqual(body);
    };
    await check(body, {});
    await check(gzipSync(body), { "content-encoding": "gzip", "content-type": "application/octet-stream" });
  });
});

const input = (fields: object) =>
  JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [2], data: [1, 2], ...fields }] });

test("lists in each other that are the shape", async () => {
  const nested = await read(text(input({ shape: [2, 1, 2], data: [[[1, 2]], [[3, 4]]] })));
  expect(nested).toMatchObject({ inputs: [{ shape: [2, 1, 2], data: values(1, 2, 3, 4) }] });
  const scalar = await read(text(input({ shape: [], data: [1] })));
  expect(scalar).toMatchObject({ inputs: [{ shape: [], data: values(1) }] });
  const empty = await read(text(input({ shape: [0, 2], data: [] })));
  expect(empty).toMatchObject({ inputs: [{ shape: [0, 2], data: values() }] });
});

test("an image as lists has more lists than a request has objects", async () => {
  const row = [0, 0, 0];
  const data = [Array.from({ length: 100 }, () => Array.from({ length: 60 }, () => row))];
  const body = text(input({ shape: [1, 100, 60, 3], data }));
  const result = await readRequest(
    { method: "POST", path: "/v2/models/m/infer", headers: {}, body: Buffer.from(body) },
    { maxRequestBytes: 1024 * 1024 },
  );
  expect(result.kind).toBe("infer");
});

describe("what is not certain is refused", () => {
  test.each<[string, string, RegExp]>([
    ["empty", "", /JSON/],
    ["no object", "[]", /the request is no object/],
    ["no inputs", "{}", /inputs that are no list/],
    ["a key twice", input({}).replace('"name"', '"name":"y","name"'), /stands twice/],
    ["an id that is no text", `{"id":7,"inputs":[]}`, /an id that is no text/],
    ["a name with half a character", input({}).replace('"x"', String.raw`"\ud800"`), /whose name is no text/],
    ["another model in the body", input({}).replace("{", '{"model_name":"other",'), /model_name is not the path's/],
    ["an unknown datatype", input({ datatype: "fp32" }), /unknown datatype/],
    ["a shape that is no list", input({ shape: 2 }), /a shape that is no list/],
    ["a shape of text", input({ shape: ["2"] }), /no integer from 0/],
    ["a shape that overflows", input({ shape: [2 ** 32, 2 ** 32] }), /more elements/],
    ["a shape beyond exact numbers", input({}).replace("[2]", "[18446744073709551618]"), /more elements/],
    ["no data", input({ data: undefined }), /data that is no list/],
    ["too few values", input({ data: [1] }), /1 values, expected 2/],
    ["lists that are not the shape", input({ shape: [2, 2], data: [[1, 2, 3], [4]] }), /lists differ from the shape/],
    ["lists deeper than the shape", input({ data: [[1], [2]] }), /lists differ from the shape/],
    ["lists beside numbers", input({ data: [[1, 2], 3] }), /lists differ from the shape/],
    ["NaN", input({}).replace("[1,2]", "[NaN,2]"), /JSON/],
    ["NaN as text", input({ data: ["NaN", 2] }), /element 0 is no FP32/],
    ["a number beyond every double", input({}).replace("[1,2]", "[1e400,2]"), /element 0 is no FP32/],
    ["a number beyond FP32", input({ data: [1e39, 2] }), /element 0 is no FP32/],
    ["a number beyond FP16", input({ datatype: "FP16", data: [65_520, 2] }), /element 0 is no FP16/],
    ["BF16 as JSON", input({ datatype: "BF16" }), /binary only/],
    ["a fraction for an integer", input({ datatype: "INT32", data: [1.5, 2] }), /element 0 is no INT32/],
    ["an integer out of range", input({ datatype: "UINT8", data: [1, 256] }), /element 1 is no UINT8/],
    ["an INT64 out of range", input({ datatype: "INT64" }).replace("[1,2]", "[9223372036854775808,2]"), /no INT64/],
    ["an INT64 with an exponent, not exact", input({ datatype: "INT64" }).replace("[1,2]", "[1e18,2]"), /no INT64/],
    ["a negative UINT64", input({ datatype: "UINT64" }).replace("[1,2]", "[-9007199254740993,2]"), /no UINT64/],
    ["numbers for BOOL", input({ datatype: "BOOL", data: [0, 1] }), /element 0 is no BOOL/],
    ["numbers for BYTES", input({ datatype: "BYTES" }), /element 0 is no BYTES/],
    ["shared memory", input({ parameters: { shared_memory_region: "r" } }), /shared memory/],
    [
      "binary data without a header",
      input({ data: undefined, parameters: { binary_data_size: 8 } }),
      /without inference-header/,
    ],
    [
      "an input twice",
      JSON.stringify({ inputs: [1, 2].map(() => ({ name: "x", datatype: "INT8", shape: [0], data: [] })) }),
      /named twice/,
    ],
    ["a million values", `{"inputs":[${"[],".repeat(2000)}`, /JSON/],
  ])("%s", async (_, json, problem) => {
    expect(await read(text(json))).toMatchObject({
      kind: "refused",
      protocol: "rest",
      reason: "malformed",
      message: expect.stringMatching(problem) as string,
    });
  });

  const binary = input({ data: undefined, parameters: { binary_data_size: 8 } });
  test.each<[string, string, number, string, RegExp]>([
    ["bytes that belong to no input", binary, 9, String(binary.length), /1 bytes follow/],
    ["too few bytes", binary, 7, String(binary.length), /more binary data is claimed/],
    [
      "bytes that the shape does not ask for",
      binary.replace("[2]", "[3]"),
      8,
      String(binary.length),
      /8 raw bytes, expected 12/,
    ],
    ["a header beyond the body", binary, 8, "9999", /not within the body/],
    ["a header that is no number", binary, 8, "1e2", /not within the body/],
    ["two headers", binary, 8, `${binary.length}, ${binary.length}`, /not within the body/],
    [
      "a size that is no number",
      binary.replace("8}", '"8"}'),
      8,
      String(binary.length + 2),
      /binary_data_size is no size/,
    ],
    [
      "data and binary data",
      binary.replace('"name"', '"data":[1,2],"name"'),
      8,
      String(binary.length + 13),
      /both data and binary/,
    ],
  ])("%s", async (_, json, tail, length, problem) => {
    const result = await read(withTail(json, new Uint8Array(tail)), { "inference-header-content-length": length });
    expect(result).toMatchObject({ reason: "malformed", message: expect.stringMatching(problem) as string });
  });

  test("another type, another encoding, another verb", async () => {
    const body = text(input({}));
    expect(await read(body, { "content-type": "application/x-www-form-urlencoded" })).toMatchObject({
      reason: "unsupported",
    });
    expect(await read(body, { "content-encoding": "br" })).toMatchObject({ reason: "unsupported" });
    expect(await read(new Uint8Array(8193))).toMatchObject({ reason: "too_large" });
    const got = await readRequest(
      { method: "GET", path: "/v2/models/m/infer", headers: {}, body: Buffer.alloc(0) },
      { maxRequestBytes: 1 },
    );
    expect(got).toMatchObject({ reason: "unsupported", message: "infer by GET" });
  });
});

test("decode(encode(x)) = x, as JSON and binary", async () => {
  const tensor = fc.oneof(
    fc
      .array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 5 })
      .map((data) => ["INT64", data] as const),
    fc
      .array(fc.double({ noDefaultInfinity: true, noNaN: true }), { maxLength: 5 })
      .map((data) => ["FP64", data] as const),
    fc.array(fc.boolean(), { maxLength: 5 }).map((data) => ["BOOL", data] as const),
    fc.array(fc.string({ unit: "binary" }), { maxLength: 5 }).map((data) => ["BYTES", data] as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(tensor, { maxLength: 4 }), fc.boolean(), async (tensors, asBinary) => {
      const tails: Uint8Array[] = [];
      const inputs = tensors.map(([datatype, data], index) => {
        const head = `"name":"t${index}","datatype":"${datatype}","shape":[${data.length}]`;
        const elements = (data as readonly unknown[]).map((one) =>
          typeof one === "bigint" ? String(one) : Object.is(one, -0) ? "-0" : JSON.stringify(one),
        );
        if (!asBinary) return `{${head},"data":[${elements.join(",")}]}`;
        const tail =
          datatype === "INT64"
            ? new Uint8Array(BigInt64Array.from(data).buffer)
            : datatype === "FP64"
              ? new Uint8Array(Float64Array.from(data).buffer)
              : datatype === "BOOL"
                ? Uint8Array.from(data, Number)
                : strings(...data);
        tails.push(tail);
        return `{${head},"parameters":{"binary_data_size":${tail.length}}}`;
      });
      const json = `{"inputs":[${inputs.join(",")}]}`;
      const headers = asBinary ? { "inference-header-content-length": String(json.length) } : {};
      const result = await read(withTail(json, Buffer.concat(tails)), headers);
      if (result.kind !== "infer") throw new Error(JSON.stringify(result));
      const expected = tensors.map(([datatype, data], index) =>
        asBinary
          ? new Uint8Array(tails[index] ?? [])
          : (data as readonly unknown[]).map((one) => (datatype === "BYTES" ? text(String(one)) : one)),
      );
      const found = result.inputs.map(({ datatype, data }) =>
        data.kind === "bytes"
          ? new Uint8Array(data.bytes)
          : data.values.map((one) => (datatype === "INT64" ? BigInt(one as number) : one)),
      );
      expect(found).toEqual(expected);
    }),
  );
});
