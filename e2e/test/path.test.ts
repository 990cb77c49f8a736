import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:tls";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";
import { describe, expect, test } from "vitest";
import { classifyAll } from "../src/demo/measure.ts";
import { editWeights } from "../src/mesh/edit.ts";
import { Load } from "../src/mesh/load.ts";
import { classify, predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const mesh = withMesh();

async function refusalOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the call was answered");
}

describe("a prediction through the mesh", () => {
  const baseUrl = (): string => `http://127.0.0.1:${mesh().reader.localPort}`;
  test.each([
    ["Connect over HTTP/2", () => predictorClient(mesh().reader.localPort, "2")],
    ["Connect over HTTP/1.1", () => predictorClient(mesh().reader.localPort, "1.1")],
    ["gRPC", () => createClient(GRPCInferenceService, createGrpcTransport({ baseUrl: baseUrl() }))],
    [
      "gRPC-Web",
      () => createClient(GRPCInferenceService, createGrpcWebTransport({ baseUrl: baseUrl(), httpVersion: "1.1" })),
    ],
  ])("is right over %s", async (_, client) => {
    const { right, total } = await classifyAll(client(), mesh().digits, 4);
    expect(total).toBe(200);
    expect(right / total).toBeGreaterThan(0.85);
  });

  test("is split as the HTTPRoute says, before and after an edit on disk", async () => {
    const client = predictorClient(mesh().reader.localPort);
    await editWeights(mesh().mesh, [0, 1]);
    expect([...(await classifyAll(client, mesh().digits, 4)).versions.keys()]).toEqual(["2"]);
    await editWeights(mesh().mesh, [1, 0]);
    expect([...(await classifyAll(client, mesh().digits, 4)).versions.keys()]).toEqual(["1"]);
  });

  test("never fails while the weights are edited 20 times", async () => {
    await using _ = { [Symbol.asyncDispose]: () => editWeights(mesh().mesh, [90, 10]).then(() => {}) };
    const load = new Load(predictorClient(mesh().reader.localPort), mesh().digits);
    for (let edit = 0; edit < 20; edit++) await editWeights(mesh().mesh, [edit + 1, 20 - edit]);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.answered).toBeGreaterThan(20);
  });
});

describe("zero trust", () => {
  test("refuses a caller that no rule allows, and names the policy in the server's log alone", async () => {
    const { mesh: running, stranger, digit } = mesh();
    const refusal = await refusalOf(classify(predictorClient(stranger.localPort), digit));
    expect(refusal.code).toBe(Code.PermissionDenied);
    expect(refusal.message).not.toContain("digits");
    const grpc = createClient(
      GRPCInferenceService,
      createGrpcTransport({ baseUrl: `http://127.0.0.1:${stranger.localPort}` }),
    );
    expect((await refusalOf(grpc.serverLive({}))).code).toBe(Code.PermissionDenied);
    const logged = await until("the refusal in a log", 5_000, () =>
      running.predictors
        .flatMap(({ name }) => running.accessLog(name))
        .find(({ peer }) => String(peer).endsWith("/sa/batch-job")),
    );
    expect(logged["policy"]).toBe("models/digits");
  });

  test("refuses a method that the rule does not name", async () => {
    const refusal = await refusalOf(predictorClient(mesh().reader.localPort).serverLive({}));
    expect(refusal.code).toBe(Code.PermissionDenied);
  });

  test("refuses calls without end, and answers those that it allows meanwhile", async () => {
    const { reader, digits } = mesh();
    const load = new Load(predictorClient(reader.localPort), digits);
    const session = connectHttp2(`http://127.0.0.1:${reader.localPort}`);
    const headers = { ":method": "POST", ":path": "/inference.GRPCInferenceService/ServerLive" };
    // Refused before it has sent its body, so that one sidecar after the other gives the stream up.
    const refuse = async (): Promise<unknown> => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const stream = session.request(headers);
      stream.write("{");
      stream.once("response", ({ ":status": status }) => {
        stream.end();
        resolve(status);
      });
      stream.once("error", reject).resume();
      return await promise;
    };
    const statuses = new Set<unknown>();
    for (let round = 0; round < 400; round++)
      for (const status of await Promise.all(Array.from({ length: 25 }, refuse))) statuses.add(status);
    session.destroy();
    await load.stop();
    expect([...statuses]).toEqual([403]);
    expect(load.failures).toEqual([]);
  }, 60_000);

  test("refuses TLS without a certificate of the mesh on an inbound port", async () => {
    const { predictor } = mesh();
    const outcome = await new Promise<string>((resolve) => {
      const options = {
        host: "127.0.0.1",
        port: predictor.port,
        rejectUnauthorized: false,
        ALPNProtocols: ["http/1.1"],
      };
      // TLS 1.3: the client is through before the server has asked for its certificate in vain.
      const socket = connect(options, () => socket.write("GET / HTTP/1.1\r\nhost: digits\r\n\r\n"));
      socket.once("data", (data) => resolve(data.toString()));
      socket.once("error", (error) => resolve(error.message));
    });
    expect(outcome).toMatch(/certificate required|ECONNRESET/);
  });

  test("refuses plain text on an inbound port", async () => {
    const { predictor } = mesh();
    const outcome = await new Promise<string>((resolve) => {
      request(
        { host: "127.0.0.1", port: predictor.port, method: "POST", path: "/inference.GRPCInferenceService/ServerLive" },
        (response) => resolve(`status ${response.statusCode}`),
      )
        .on("error", (error) => resolve(error.message))
        .end("{}");
    });
    expect(outcome).toMatch(/socket hang up|ECONNRESET/);
  });
});
