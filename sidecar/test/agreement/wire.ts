// A message as an HTTP request of one of the encodings that the predictor serves, perhaps with something wrong about it.
import zlib from "node:zlib";
import { type JsonWriteOptions, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type ModelInferRequest, ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { damageBytes, oddBinary, oddJson } from "./damage.ts";
import type { Random } from "./random.ts";

export interface WireRequest {
  readonly encoding: string;
  readonly http: "1" | "2";
  readonly method: string;
  readonly path: string;
  /** In the order sent; a name may stand twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly chunked: boolean;
}

export const INFER = "/inference.GRPCInferenceService/ModelInfer";
const ENCODINGS = [
  "grpc",
  "grpc",
  "grpc+json",
  "grpc-web",
  "proto",
  "proto",
  "json",
  "json",
  "get",
  "get-json",
] as const;
const COMPRESS = { gzip: zlib.gzipSync, deflate: zlib.deflateSync, br: zlib.brotliCompressSync } as const;
type Compression = keyof typeof COMPRESS;
const TYPES = [
  "application/grpc+proto",
  "application/GRPC",
  "application/grpc; charset=utf-8",
  "application/grpc+json;charset=utf8",
  "application/grpc-web-text",
  "application/connect+proto",
  "application/connect+json",
  "application/json; charset=utf-8",
  "application/json;charset=latin1",
  "application/Proto",
  "application/x-protobuf",
  "text/plain",
  "application/json, application/proto",
  "",
];

export function wireRequestOf(random: Random, message: ModelInferRequest): WireRequest {
  const { pick, oneIn } = random;
  const encoding = pick(ENCODINGS);
  const json = encoding.endsWith("json");
  let bytes = json ? jsonOf(random, message) : toBinary(ModelInferRequestSchema, message);
  if (oneIn(4)) bytes = json ? oddJson(random, new TextDecoder().decode(bytes)) : oddBinary(random, bytes);
  if (oneIn(8)) bytes = damageBytes(random, bytes);
  const compression = oneIn(3) ? pick<Compression>(["gzip", "deflate", "br"]) : undefined;
  const packed = compression === undefined ? bytes : compressed(random, bytes, compression);
  const request = encoding.startsWith("get")
    ? getOf(random, packed, json, compression)
    : encoding.startsWith("grpc")
      ? framedOf(random, packed, encoding, compression)
      : plainOf(packed, json, compression);
  return oneIn(6) ? disturbed(random, request) : request;
}

function jsonOf({ oneIn }: Random, message: ModelInferRequest): Uint8Array {
  const options: Partial<JsonWriteOptions> = { useProtoFieldName: oneIn(4), alwaysEmitImplicit: oneIn(4) };
  try {
    return new TextEncoder().encode(toJsonString(ModelInferRequestSchema, message, options));
  } catch {
    // A name that is no text has no JSON.
    return new TextEncoder().encode("{}");
  }
}

function compressed(random: Random, bytes: Uint8Array, by: Compression): Uint8Array {
  const { below, oneIn } = random;
  const whole = COMPRESS[by](bytes);
  if (!oneIn(4)) return whole;
  const half = Math.floor(bytes.length / 2);
  const first = COMPRESS[by](bytes.subarray(0, half));
  switch (below(6)) {
    case 0:
      return Buffer.concat([first, COMPRESS[by](bytes.subarray(half))]);
    case 1:
      return Buffer.concat([whole, Buffer.alloc(1 + below(9))]);
    case 2:
      return Buffer.concat([whole, Buffer.from("more")]);
    case 3:
      return COMPRESS[by](Buffer.alloc(4 * 1024 * 1024));
    case 4:
      return zlib.deflateRawSync(bytes);
    default:
      return damageBytes(random, whole);
  }
}

const base = { method: "POST", path: INFER, chunked: false } as const;

function plainOf(body: Uint8Array, json: boolean, compression: Compression | undefined): WireRequest {
  const headers: [string, string][] = [["content-type", json ? "application/json" : "application/proto"]];
  if (compression !== undefined) headers.push(["content-encoding", compression]);
  return { ...base, encoding: `connect ${json ? "json" : "proto"}`, http: "1", headers, body: Buffer.from(body) };
}

function framedOf(
  { oneIn, below, pick }: Random,
  message: Uint8Array,
  type: string,
  compression: Compression | undefined,
): WireRequest {
  const frame = (flags: number, length = message.length) => {
    const header = Buffer.alloc(5);
    header.writeUInt8(flags);
    header.writeUInt32BE(length, 1);
    return Buffer.concat([header, message]);
  };
  const flags = compression === undefined ? 0 : 1;
  const whole = frame(flags);
  const body = oneIn(5)
    ? pick([
        () => Buffer.concat([whole, frame(flags)]),
        () => Buffer.concat([whole, Buffer.alloc(1 + below(6))]),
        () => frame(flags, message.length + 1),
        () => frame(flags, Math.max(0, message.length - 1)),
        () => frame(flags ^ 1),
        () => frame(pick([2, 3, 0x80, 0xff])),
        () => whole.subarray(0, below(6)),
        () => Buffer.concat([Buffer.alloc(5), whole]),
      ])()
    : whole;
  const headers: [string, string][] = [["content-type", `application/${type}`]];
  if (compression !== undefined) headers.push(["grpc-encoding", compression]);
  return { ...base, encoding: type, http: type === "grpc-web" ? pick(["1", "2"]) : "2", headers, body };
}

function getOf(
  { oneIn, pick }: Random,
  message: Uint8Array,
  json: boolean,
  compression: Compression | undefined,
): WireRequest {
  const encoding = json ? "json" : "proto";
  const base64 = compression !== undefined || !json || oneIn(2);
  const text = base64
    ? Buffer.from(message).toString(pick(["base64", "base64url"]))
    : new TextDecoder().decode(message);
  const parts = [
    "connect=v1",
    `encoding=${encoding}`,
    ...(base64 ? ["base64=1"] : []),
    ...(compression === undefined ? [] : [`compression=${compression}`]),
    `message=${encodeURIComponent(text)}`,
  ];
  const odd = oneIn(5)
    ? pick([
        () => [...parts, "message=e30"],
        () => ["message=e30", ...parts],
        () => [...parts, "encoding=json"],
        () => parts.with(0, "connect=v2"),
        () => parts.with(-1, `message=${text.replace(/[^\x21-\x7e]|[#&]/g, "")}`),
        () => parts.with(-1, `message=${encodeURIComponent(` ${text}`)}`),
        () => parts.with(-1, `message=${encodeURIComponent(`${text}=`)}`),
        () => parts.with(-1, `message=${encodeURIComponent(text)}%ff`),
        () => [...parts, "x=1&base64=0"],
        () => parts.toReversed(),
        () => parts.slice(1),
        () => parts.slice(0, -1),
      ])()
    : parts;
  const path = `${INFER}?${odd.join("&")}`;
  return {
    ...base,
    encoding: `connect get ${encoding}`,
    http: "1",
    method: "GET",
    path,
    headers: [],
    body: Buffer.alloc(0),
  };
}

/** Something about the request that is not its message. */
function disturbed({ pick }: Random, request: WireRequest): WireRequest {
  const { headers, http, path } = request;
  const without = (name: string) => headers.filter(([other]) => other !== name);
  const typed = (type: string) => ({
    ...request,
    headers: [...without("content-type"), ...(type === "" ? [] : [["content-type", type] as const])],
  });
  const withHeader = (name: string, value: string) => ({
    ...request,
    headers: [...without(name), [name, value] as const],
  });
  return pick<() => WireRequest>([
    () => typed(pick(TYPES)),
    () => typed(pick(TYPES)),
    () => withHeader("content-encoding", pick(["gzip", "identity", "GZIP", "gzip, gzip", "zstd"])),
    () => withHeader("grpc-encoding", pick(["gzip", "identity", "snappy", "Gzip"])),
    () => withHeader("connect-content-encoding", "gzip"),
    () => ({ ...request, headers: without("grpc-encoding") }),
    () => ({ ...request, method: pick(["GET", "PUT", "POST", "HEAD", "OPTIONS"]) }),
    () => ({ ...request, chunked: true }),
    () => ({ ...request, path: path.includes("?") ? `${path}#x` : `${path}?encoding=proto&message=` }),
    () => ({
      ...request,
      path: pick([
        path.toLowerCase(),
        `/${path}`,
        path.replace("Model", "%4dodel"),
        `${path}/`,
        path.replace("/Model", "/./Model"),
      ]),
    }),
    // HTTP/2 of node's does not let the type stand twice.
    () => (http === "1" ? { ...request, headers: [...headers, ["content-type", pick(TYPES)] as const] } : request),
  ])();
}
