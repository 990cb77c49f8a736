// What clients of each protocol learn of a refusal. The body has as many bytes as asked for.
import { request } from "node:http";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { grpcClient } from "@hedgerow/proto";
import { Health } from "@hedgerow/proto/grpc/health/v1/health";
import { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";

export interface Refused {
  /** RESOURCE_EXHAUSTED, or an HTTP status. */
  readonly code: string | number;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type AskClient = (port: number, bodyBytes: number) => Promise<Refused>;

const message = (bytes: number) => ({ modelName: "digits", rawInputContents: [new Uint8Array(bytes)] });
const upper = (code: Code) => Code[code].replace(/\B[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

function failure(error: unknown): Refused {
  const { code, rawMessage, metadata } = ConnectError.from(error);
  return { code: upper(code), message: rawMessage, headers: Object.fromEntries(metadata) };
}

function unary(transport: (baseUrl: string) => Transport): AskClient {
  return async (port, bodyBytes) => {
    const client = createClient(GRPCInferenceService, transport(`http://127.0.0.1:${port}`));
    const answered = client.modelInfer(message(bodyBytes), { timeoutMs: 20_000 });
    return answered.then(() => ({ code: "OK", message: "", headers: {} }), failure);
  };
}

function stream(transport: (baseUrl: string) => Transport): AskClient {
  return async (port) => {
    const client = createClient(Health, transport(`http://127.0.0.1:${port}`));
    try {
      for await (const _ of client.watch({}, { timeoutMs: 20_000 })) break;
      return { code: "OK", message: "", headers: {} };
    } catch (error) {
      return failure(error);
    }
  };
}

const grpcJs: AskClient = async (port, bodyBytes) => {
  const client = grpcClient(GRPCInferenceService, `127.0.0.1:${port}`, credentials.createInsecure());
  const { promise, resolve } = Promise.withResolvers<Refused>();
  client.modelInfer(message(bodyBytes), new Metadata(), {}, (error: ServiceError | null) => {
    const headers = Object.entries(error?.metadata.getMap() ?? {}).map(([name, value]) => [name, String(value)]);
    resolve({
      code: status[error?.code ?? 0] ?? "",
      message: error?.details ?? "",
      headers: Object.fromEntries(headers),
    });
  });
  const refused = await promise;
  client.close();
  return refused;
};

/** One POST, as it comes over the wire. */
export function post(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, method: "POST", headers, agent: false }, (incoming) => {
      const parts: Buffer[] = [];
      incoming.on("data", (part: Buffer) => parts.push(part));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const flat = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
        resolve({
          status: incoming.statusCode ?? 0,
          headers: Object.fromEntries(flat),
          body: Buffer.concat(parts),
        });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

const rest: AskClient = async (port, bodyBytes) => {
  const answer = await post(port, "/v2/models/digits/infer", {}, Buffer.alloc(bodyBytes, " "));
  return { code: answer.status, message: JSON.parse(String(answer.body)).error, headers: answer.headers };
};

// The binary one has clients; nobody's client for Node speaks the text one.
const webText: AskClient = async (port, bodyBytes) => {
  const type = "application/grpc-web-text+proto";
  const path = "/inference.GRPCInferenceService/ModelInfer";
  const body = Buffer.from(Buffer.alloc(bodyBytes).toString("base64"));
  const answer = await post(port, path, { "content-type": type, "x-grpc-web": "1" }, body);
  const frame = Buffer.from(String(answer.body), "base64");
  if (answer.status !== 200 || answer.headers["content-type"] !== type) throw new Error(JSON.stringify(answer.headers));
  if (frame[0] !== 0x80 || frame.readUInt32BE(1) !== frame.length - 5) throw new Error(`no trailers: ${String(frame)}`);
  const [, grpcStatus] = /^grpc-status: ?(\d+)\r\n/.exec(String(frame.subarray(5))) ?? [];
  return {
    code: status[Number(grpcStatus)] ?? "",
    message: answer.headers["grpc-message"] ?? "",
    headers: answer.headers,
  };
};

/** By name; each speaks a protocol in its own way. */
export const UNARY_CLIENTS: Readonly<Record<string, AskClient>> = {
  "grpc-js": grpcJs,
  "Connect's client, gRPC": unary((baseUrl) => createGrpcTransport({ baseUrl })),
  "Connect's client, gRPC-Web": unary((baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })),
  "Connect's client, Connect": unary((baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })),
  "Connect's client, JSON": unary((baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ),
  REST: rest,
  "gRPC-Web in text": webText,
};

export const STREAM_CLIENTS: Readonly<Record<string, AskClient>> = {
  "Connect's client, gRPC": stream((baseUrl) => createGrpcTransport({ baseUrl })),
  "Connect's client, Connect": stream((baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })),
  "Connect's client, JSON": stream((baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  ),
};
