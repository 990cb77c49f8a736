import { once } from "node:events";
import http2 from "node:http2";
import { connect } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "@hedgerow/proto/grpc/health/v1/health";
import { afterEach, describe, expect, test } from "vitest";
import { createLogger } from "../logger.ts";
import { type RpcHandlerOptions, rpcHandler } from "./rpc-handler.ts";
import { SharedPort } from "./shared-port.ts";

const MAX_REQUEST_BYTES = 64 * 1024;
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanup.splice(0).toReversed()) await end();
});

const serving: ServiceImpl<typeof Health> = {
  check: () => ({ status: Status.SERVING }),
  async *watch() {
    yield { status: Status.SERVING };
  },
};

/** The address of a port that serves `health` with these options. */
async function serve(
  options: Partial<RpcHandlerOptions>,
  health: ServiceImpl<typeof Health> = serving,
): Promise<{ readonly port: number; readonly url: string }> {
  const shared = new SharedPort(
    rpcHandler({
      routes: (router) => router.service(Health, health),
      interceptors: [],
      maxRequestBytes: MAX_REQUEST_BYTES,
      logger: createLogger("fatal"),
      onClose: () => {},
      ...options,
    }),
  );
  cleanup.push(() => shared[Symbol.asyncDispose]());
  const port = Number((await shared.listen({ host: "127.0.0.1", port: 0 })).split(":")[1]);
  return { port, url: `http://127.0.0.1:${port}` };
}

function http2Client(url: string, settings: http2.Settings = {}): http2.ClientHttp2Session {
  const session = http2.connect(url, { settings });
  cleanup.push(() => session.destroy());
  return session;
}

const call = (session: http2.ClientHttp2Session, method: string, headers: http2.OutgoingHttpHeaders = {}) =>
  session.request({
    ":method": "POST",
    ":path": `/grpc.health.v1.Health/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });

/** A gRPC frame that asks for a service with a name of so many bytes. */
function frame(nameBytes: number): Buffer {
  const asked = create(HealthCheckRequestSchema, { service: "x".repeat(nameBytes) });
  const message = toBinary(HealthCheckRequestSchema, asked);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([header, message]);
}

async function grpcStatus(stream: http2.ClientHttp2Stream): Promise<string> {
  let status = "none";
  const note = (headers: http2.IncomingHttpHeaders) => {
    status = String(headers["grpc-status"] ?? status);
  };
  stream.on("response", note).on("trailers", note).resume();
  await once(stream, "close");
  return status;
}

const RESOURCE_EXHAUSTED = "8";

test("an HTTP/2 body that does not come to its end is cut off", async () => {
  const { url } = await serve({ timeouts: { bodyMs: 100, answerMs: 60_000 } });
  const stream = call(http2Client(url), "Check");
  stream.on("error", () => {});
  stream.write(frame(10).subarray(0, 7));
  await once(stream, "close");
  expect(stream.rstCode).toBe(http2.constants.NGHTTP2_CANCEL);
});

test("an answer that nobody reads is given up, and its share of the budget with it, over HTTP/2", async () => {
  const timeouts = { bodyMs: 60_000, answerMs: 100 };
  const { url } = await serve({ timeouts, inFlightBytes: MAX_REQUEST_BYTES });
  const unread = call(http2Client(url, { initialWindowSize: 0 }), "Check");
  unread.on("error", () => {});
  unread.end(frame(60_000));
  await once(unread, "response");
  const other = () => {
    const stream = call(http2Client(url), "Check");
    stream.end(frame(60_000));
    return grpcStatus(stream);
  };
  expect(await other()).toBe(RESOURCE_EXHAUSTED);
  await once(unread, "close");
  expect(await other()).toBe("0");
});

test("an answer that nobody reads is given up, over HTTP/1.1", async () => {
  const { promise: closed, resolve: onClose } = Promise.withResolvers<string>();
  const { port } = await serve(
    { timeouts: { bodyMs: 60_000, answerMs: 100 }, onClose },
    {
      ...serving,
      // Far more than the kernel keeps of an answer that is not read.
      check: (_, { responseHeader }) => {
        for (let i = 0; i < 200; i++) responseHeader.append(`x-${i}`, "y".repeat(100_000));
        return {};
      },
    },
  );
  const socket = connect(port, "127.0.0.1");
  cleanup.push(() => socket.destroy());
  socket.pause();
  socket.write(
    "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
  );
  expect(await closed).toBe("Check");
});

test("what asks for a stream is small, because the stream holds it; the stream itself may last", async () => {
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  const { url } = await serve(
    { timeouts: { bodyMs: 60_000, answerMs: 50 } },
    {
      ...serving,
      async *watch(_, { signal }) {
        yield { status: Status.SERVING };
        await done;
        yield { status: signal.aborted ? Status.UNKNOWN : Status.NOT_SERVING };
      },
    },
  );
  const large = call(http2Client(url), "Watch");
  large.end(frame(5000));
  expect(await grpcStatus(large)).toBe(RESOURCE_EXHAUSTED);
  const small = call(http2Client(url), "Watch");
  small.end(frame(4000));
  await once(small, "response");
  // Not a condition, but what must not happen meanwhile.
  setTimeout(finish, 150);
  expect(await grpcStatus(small)).toBe("0");
});

describe("a deadline that is too far for a timer is none", () => {
  const patient: ServiceImpl<typeof Health> = {
    ...serving,
    check: async (_, { signal }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      signal.throwIfAborted();
      return {};
    },
  };

  test.each([
    ["8 digits of hours", "99999999H"],
    ["a month of seconds", "2592000S"],
    ["the longest that a timer takes", "596H"],
  ])("gRPC, %s", async (_, timeout) => {
    const { url } = await serve({}, patient);
    const stream = call(http2Client(url), "Check", { "grpc-timeout": timeout });
    stream.end(frame(1));
    expect(await grpcStatus(stream)).toBe("0");
  });

  test("Connect", async () => {
    const { url } = await serve({}, patient);
    const headers = { "content-type": "application/json", "connect-timeout-ms": "9999999999" };
    const response = await fetch(`${url}/grpc.health.v1.Health/Check`, { method: "POST", headers, body: "{}" });
    expect(response.status).toBe(200);
  });
});
