import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { DECISION_HEADER, grpcClient } from "@hedgerow/proto";
import { GRPCInferenceService, ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { tritonPath } from "./python.ts";

/** What a client's program learns of a refusal. */
export interface Refused {
  /** In the client's own words, lower case: permission_denied, 403. */
  readonly code: string;
  readonly message: string;
  /** Of x-hedgerow-decision; undefined where the client does not show headers. */
  readonly decision: string | undefined;
  /** grpc-retry-pushback-ms or retry-after. */
  readonly pushback?: string | undefined;
}

/** A stock client: asks for a digit with an image of so many floats at a local port. */
export type AskClient = (port: number, floats: number) => Promise<Refused>;

const lower = (name: string): string => name.replace(/\B[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

function message(floats: number) {
  return create(ModelInferRequestSchema, {
    modelName: "digits",
    inputs: [{ name: "image", datatype: "FP32", shape: [1n, BigInt(floats)] }],
    rawInputContents: [new Uint8Array(floats * 4)],
  });
}

function connectClient(transport: (baseUrl: string) => Transport): AskClient {
  return async (port, floats) => {
    const client = createClient(GRPCInferenceService, transport(`http://127.0.0.1:${port}`));
    try {
      await client.modelInfer(message(floats), { timeoutMs: 20_000 });
      return { code: "answered", message: "", decision: undefined };
    } catch (error) {
      const { code, rawMessage, metadata } = ConnectError.from(error);
      return {
        code: lower(Code[code]),
        message: rawMessage,
        decision: metadata.get(DECISION_HEADER) ?? undefined,
        pushback: metadata.get("grpc-retry-pushback-ms") ?? metadata.get("retry-after") ?? undefined,
      };
    }
  };
}

const grpcJs: AskClient = async (port, floats) => {
  const client = grpcClient(GRPCInferenceService, `127.0.0.1:${port}`, credentials.createInsecure());
  const { promise, resolve } = Promise.withResolvers<Refused>();
  client.modelInfer(message(floats), new Metadata(), {}, (error: ServiceError | null) => {
    const text = (name: string): string | undefined => error?.metadata.get(name)[0]?.toString();
    resolve({
      code: error === null ? "answered" : status[error.code].toLowerCase(),
      message: error?.details ?? "",
      decision: text(DECISION_HEADER),
      pushback: text("grpc-retry-pushback-ms"),
    });
  });
  const refused = await promise;
  client.close();
  return refused;
};

interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

async function run(command: string, args: readonly string[], { env, input = "" }: RunOptions): Promise<string> {
  const child = spawn(command, [...args], { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  // A program that is answered early does not read on.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject);
  child.once("close", resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${Buffer.concat(errors).toString()}`);
  return Buffer.concat(chunks).toString();
}

/** curl, with a body of JSON; `path` and headers say which protocol it is. */
function curl(
  path: string,
  headers: readonly string[],
  body: (floats: number) => object,
  word: "message" | "error",
): AskClient {
  return async (port, floats) => {
    const args = [
      "--silent",
      "--show-error",
      "--include",
      "--max-time",
      "20",
      ...["content-type: application/json", "expect:", ...headers].flatMap((header) => ["--header", header]),
      "--data-binary",
      "@-",
      `http://127.0.0.1:${port}${path}`,
    ];
    const output = await run("curl", args, { input: JSON.stringify(body(floats)) });
    const [head = "", text = ""] = output.split("\r\n\r\n");
    const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1]?.trim();
    const answer = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      code: [/^HTTP\/\S+ (\d+)/.exec(head)?.[1], answer["code"]].filter(Boolean).join(" "),
      message: String(answer[word]),
      decision: header(DECISION_HEADER),
      pushback: header("retry-after"),
    };
  };
}

function triton(kind: "grpc" | "http"): AskClient {
  return async (port, floats) => {
    const script = join(import.meta.dirname, "../../clients/triton.py");
    const output = await run("python3", [script, kind, `127.0.0.1:${port}`, String(floats)], {
      env: { PYTHONPATH: tritonPath() },
    });
    const { code, message } = JSON.parse(output) as { code: string; message?: string };
    return { code: code.replace(/^StatusCode\./, "").toLowerCase(), message: message ?? "", decision: undefined };
  };
}

const restBody = (floats: number) => ({
  inputs: [{ name: "image", datatype: "FP32", shape: [1, floats], data: Array.from({ length: floats }, () => 0.125) }],
});
const connectBody = (floats: number) => ({
  modelName: "digits",
  inputs: [
    {
      name: "image",
      datatype: "FP32",
      shape: ["1", String(floats)],
      contents: { fp32Contents: restBody(floats).inputs[0]?.data },
    },
  ],
});

/** Stock clients by name; each speaks a protocol in its own way. */
export const askClients = {
  "grpc-js": grpcJs,
  "Connect for Node, gRPC": connectClient((baseUrl) => createGrpcTransport({ baseUrl })),
  "Connect for Node, gRPC-Web": connectClient((baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })),
  "Connect for Node, Connect": connectClient((baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })),
  "Connect for Node, JSON": connectClient((baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ),
  "curl, Connect": curl(
    "/inference.GRPCInferenceService/ModelInfer",
    ["connect-protocol-version: 1"],
    connectBody,
    "message",
  ),
  "curl, REST": curl("/v2/models/digits/infer", [], restBody, "error"),
  "tritonclient, gRPC": triton("grpc"),
  "tritonclient, REST": triton("http"),
} as const satisfies Readonly<Record<string, AskClient>>;
