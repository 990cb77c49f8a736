import { create, toBinary } from "@bufbuild/protobuf";
import { credentials, Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "@hedgerow/proto/grpc/health/v1/health";
import { describe, expect, test } from "vitest";
import { EncodedMessage, grpcClient, grpcService } from "./grpc-service.ts";

const serving = HealthCheckResponse_ServingStatus.SERVING;

async function served(): Promise<{ address: string; server: Server }> {
  const server = new Server();
  server.addService(
    ...grpcService(Health, {
      check: (call, callback) => {
        if (call.request.service === "unknown") callback({ code: status.NOT_FOUND, details: "no such service" });
        else callback(null, { status: serving });
      },
      watch: (call) => {
        call.write({ status: HealthCheckResponse_ServingStatus.NOT_SERVING });
        call.write(
          new EncodedMessage(
            toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: serving })),
          ),
        );
        call.end();
      },
    }),
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { address: `127.0.0.1:${port}`, server };
}

describe("a service over grpc-js", () => {
  test("answers a unary call, a coded error and a stream with messages and encoded bytes", async () => {
    const { address, server } = await served();
    const client = grpcClient(Health, address, credentials.createInsecure());
    const check = (service: string) =>
      new Promise<number | undefined>((resolve, reject) =>
        client.check({ service }, new Metadata(), {}, (error, response) =>
          error ? reject(error) : resolve(response?.status),
        ),
      );
    try {
      expect(await check("")).toBe(serving);
      await expect(check("unknown")).rejects.toMatchObject({ code: status.NOT_FOUND });
      const seen: number[] = [];
      for await (const message of client.watch({ service: "" })) seen.push(message.status);
      expect(seen).toEqual([HealthCheckResponse_ServingStatus.NOT_SERVING, serving]);
    } finally {
      client.close();
      server.forceShutdown();
    }
  });
});
