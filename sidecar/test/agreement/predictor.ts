// The predictor as its own process, and what it says that it read.
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { type ModelInferResponse, ModelInferResponseSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import type { Datatype } from "@hedgerow/proto/tensor";
import type { WireRequest } from "./wire.ts";

export interface ServedModel {
  readonly name: string;
  readonly version: string;
  /** A dimension that is text is of any size from 1. */
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: Datatype;
    readonly shape: readonly (number | string)[];
  }[];
}

export type Answer =
  | { readonly kind: "read"; readonly response: ModelInferResponse }
  | { readonly kind: "refused"; readonly message: string };

export interface RunningPredictor extends AsyncDisposable {
  readonly address: string;
  readonly models: readonly ServedModel[];
}

const MAIN = join(import.meta.dirname, "../../../predictor/src/testing/identity/main.ts");

/** `out_X` of every model repeats its input X. */
export async function runPredictor(maxRequestBytes: number): Promise<RunningPredictor> {
  const child = spawn(process.execPath, [MAIN, String(maxRequestBytes)], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { address, models } = JSON.parse(line) as { address: string; models: ServedModel[] };
  return {
    address,
    models,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}

export interface Asker extends Disposable {
  readonly ask: (request: WireRequest) => Promise<Answer>;
}

/** Over both versions of HTTP, to the predictor or to what stands before it. */
export function askerOf(address: string): Asker {
  const session = http2.connect(`http://${address}`);
  const agent = new http.Agent({ keepAlive: true });
  return {
    ask: async (request) =>
      answerOf(await (request.http === "2" ? overHttp2(session, request) : overHttp1(agent, address, request))),
    [Symbol.dispose]() {
      session.close();
      agent.destroy();
    },
  };
}

interface RawAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  readonly grpcStatus: string | undefined;
  readonly grpcMessage: string;
}

async function overHttp2(session: http2.ClientHttp2Session, request: WireRequest): Promise<RawAnswer> {
  const stream = session.request(
    { ":method": request.method, ":path": request.path, ...Object.fromEntries(request.headers) },
    { endStream: false },
  );
  stream.end(request.body);
  let headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("response", (received) => (headers = received));
  stream.on("trailers", (received) => (trailers = received));
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "close").catch(() => undefined);
  return {
    status: headers[":status"] ?? 0,
    type: headers["content-type"] ?? "",
    body: Buffer.concat(chunks),
    grpcStatus: String(trailers["grpc-status"] ?? headers["grpc-status"] ?? ""),
    grpcMessage: String(trailers["grpc-message"] ?? headers["grpc-message"] ?? ""),
  };
}

async function overHttp1(agent: http.Agent, address: string, request: WireRequest): Promise<RawAnswer> {
  const [host, port] = address.split(":");
  const { method, path, body, chunked } = request;
  const headers: Record<string, string[]> = {};
  for (const [name, value] of request.headers) headers[name] = [...(headers[name] ?? []), value];
  if (chunked) headers["transfer-encoding"] = ["chunked"];
  else if (body.length > 0 || method === "POST") headers["content-length"] = [String(body.length)];
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const sent = http.request({ host, port, path, agent, method, headers }, resolve);
  sent.on("error", reject);
  if (chunked) sent.write(body.subarray(0, 3));
  sent.end(chunked ? body.subarray(3) : body);
  try {
    const response = await promise;
    const received = Buffer.concat((await response.toArray()) as Buffer[]);
    const type = response.headers["content-type"] ?? "";
    // gRPC over HTTP/1.1, which node's server speaks, too.
    const ends = { ...response.headers, ...response.trailers };
    const [grpcStatus, grpcMessage] = [ends["grpc-status"], ends["grpc-message"]].map((value) => String(value ?? ""));
    return { status: response.statusCode ?? 0, type, body: received, grpcStatus, grpcMessage: grpcMessage ?? "" };
  } catch (error) {
    return { status: 0, type: "", body: Buffer.from(String(error)), grpcStatus: undefined, grpcMessage: "" };
  }
}

function answerOf({ status, type, body, grpcStatus, grpcMessage }: RawAnswer): Answer {
  const refused = (message: string): Answer => ({ kind: "refused", message });
  if (status !== 200)
    return refused(type.startsWith("application/json") ? messageIn(body) : `HTTP ${status} ${String(body)}`);
  const decode = (message: Buffer): Answer => {
    const response = type.includes("json")
      ? fromJsonString(ModelInferResponseSchema, message.toString())
      : fromBinary(ModelInferResponseSchema, message);
    return { kind: "read", response };
  };
  if (!type.startsWith("application/grpc")) return decode(body);
  let message: Buffer | undefined;
  let status2 = grpcStatus;
  let text = decodeURIComponent(grpcMessage);
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    const frame = body.subarray(at + 5, end);
    if (body[at] === 0x80) {
      status2 = /^grpc-status: *(\d+)/im.exec(frame.toString())?.[1];
      text = decodeURIComponent(/^grpc-message: *(.*)/im.exec(frame.toString())?.[1] ?? "");
    } else message = frame;
    at = end;
  }
  return status2 === "0" && message !== undefined ? decode(message) : refused(text || `gRPC status ${status2}`);
}

const messageIn = (body: Buffer) => (JSON.parse(body.toString()) as { message?: string; code: string }).message ?? "";
