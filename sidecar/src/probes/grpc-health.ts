import { connect, type IncomingHttpHeaders } from "node:http2";
import { isIP } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "@hedgerow/proto/grpc/health/v1/health";
import { open, target } from "./dial.ts";
import type { ProbeHandler } from "./settings.ts";

const MAX_ANSWER_BYTES = 4 * 1024;
/** Before each message: a flag and the length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/**
 * The serving status that grpc.health.v1.Health/Check answers, without TLS. Framed by hand, since grpc-js can't choose where a
 * connection comes from. Rejects when nobody answers, as when the signal aborts, and with a gRPC error's code and words.
 */
export async function grpcHealth(
  { port, service }: Extract<ProbeHandler, { kind: "grpc" }>,
  {
    podIp,
    userAgent,
    signal,
  }: { readonly podIp: string | undefined; readonly userAgent: string; readonly signal: AbortSignal },
): Promise<HealthCheckResponse_ServingStatus> {
  const where = target(undefined, port, podIp);
  const socket = await open(where, signal);
  const authority = `${isIP(where.host) === 6 ? `[${where.host}]` : where.host}:${port}`;
  const session = connect(`http://${authority}`, { createConnection: () => socket });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    session.on("error", reject);
    session.on("close", () => reject(new Error("connection closed")));
    const call = session.request(
      {
        ":method": "POST",
        ":path": "/grpc.health.v1.Health/Check",
        "content-type": "application/grpc",
        te: "trailers",
        "user-agent": userAgent,
      },
      { signal },
    );
    const chunks: Buffer[] = [];
    let bytes = 0;
    const heed = (headers: IncomingHttpHeaders) => {
      const code = headers["grpc-status"];
      if (code !== undefined && code !== "0") reject(new Error(`grpc status ${code.toString()}`));
    };
    call.on("response", heed);
    call.on("trailers", heed);
    call.on("error", reject);
    call.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) reject(new Error(`answer is over ${MAX_ANSWER_BYTES} bytes`));
      else chunks.push(chunk);
    });
    call.on("end", () => resolve(Buffer.concat(chunks)));
    call.end(frame(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }))));
    const answer = await promise;
    return fromBinary(HealthCheckResponseSchema, answer.subarray(PREFIX_BYTES)).status;
  } finally {
    session.destroy();
  }
}

export function isServing(status: HealthCheckResponse_ServingStatus): boolean {
  return status === HealthCheckResponse_ServingStatus.SERVING;
}

function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
