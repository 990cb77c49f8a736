import { Agent, request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Problem } from "@hedgerow/manifest";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../test/until.ts";
import type { PolicyEdit } from "./edit.ts";
import { applyPatch } from "./testing/apply-patch.ts";
import { testContext } from "./testing/context.ts";
import { TestIdentity } from "./testing/serving-identity.ts";
import { startWebhook, type Webhook, type WebhookDeps } from "./webhook.ts";

const identity = new TestIdentity();
let webhook: Webhook;
let edits: PolicyEdit[];
let review: WebhookDeps["review"];
let agent: Agent;

beforeEach(async () => {
  edits = [];
  review = () => ({ problems: [], warnings: [] });
  agent = new Agent({ keepAlive: true });
  webhook = await startWebhook({
    listen: { host: "127.0.0.1", port: 0 },
    identity,
    injection: () => testContext,
    review: (object) => review(object),
    recordEdit: (edit) => edits.push(edit),
    logger: pino({ enabled: false }),
    limits: { bodyBytes: 8 * 1024 * 1024, bytesAtOnce: 16 * 1024 * 1024, requestsAtOnce: 1 },
    now: () => Date.parse("2026-11-24T10:00:00Z"),
  });
});
afterEach(async () => {
  agent.destroy();
  await webhook[Symbol.asyncDispose]();
});

const port = () => Number(webhook.address.split(":").at(-1));
const tls = () => ({ host: "127.0.0.1", port: port(), servername: "localhost", ca: identity.rootPem });

function post(path: string, body: string | Buffer, method = "POST"): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...tls(), agent, path, method }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on("error", reject).end(body);
  });
}

const asked = (fields: object) => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "u-1",
    operation: "CREATE",
    kind: { group: "", version: "v1", kind: "Pod" },
    namespace: "fraud",
    name: "p",
    userInfo: { username: "ada", uid: "7", groups: ["risk", "system:authenticated"] },
    ...fields,
  },
});
async function ask(path: string, fields: object) {
  const { status, text } = await post(path, JSON.stringify(asked(fields)));
  const answer = JSON.parse(text);
  expect([status, answer.apiVersion, answer.kind]).toEqual([200, "admission.k8s.io/v1", "AdmissionReview"]);
  return answer.response;
}
const counted = (outcome: string) =>
  webhook.metrics[0]?.expose().match(new RegExp(`outcome="${outcome}"} ([1-9].*)`))?.[1];

const problem = (message: string): Problem => ({
  position: { file: "object", line: 0, column: 0 },
  field: "spec",
  code: "invalid_value",
  message,
});
const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "app" }] } };
const policy = {
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "AccessPolicy",
  metadata: { name: "digits", generation: 3, uid: "o-1", resourceVersion: "12" },
};
const policyKind = { group: "hedgerow.dev", version: "v1alpha1", kind: "AccessPolicy" };

describe("/inject", () => {
  it("answers with a patch, and echoes the uid", async () => {
    const { uid, allowed, patchType, patch } = await ask("/inject?timeout=5s", { object: pod });
    expect([uid, allowed, patchType]).toEqual(["u-1", true, "JSONPatch"]);
    const operations = JSON.parse(Buffer.from(patch, "base64").toString());
    expect(applyPatch(pod, operations)).toMatchObject({
      spec: { initContainers: [{ name: "hedgerow-init" }, { name: "hedgerow-proxy" }] },
    });
    expect(counted("patched")).toBe("1");
  });

  it("refuses with the reason, and passes warnings on", async () => {
    const refused = await ask("/inject", { object: { ...pod, spec: { ...pod.spec, hostNetwork: true } } });
    expect(refused).toEqual({
      uid: "u-1",
      allowed: false,
      status: { code: 422, reason: "Invalid", message: expect.stringContaining("spec.hostNetwork must not be true") },
    });
    const warned = await ask("/inject", { object: { ...pod, spec: { ...pod.spec, dnsPolicy: "None" } } });
    expect(warned).toMatchObject({ allowed: true, warnings: [expect.stringContaining("spec.dnsPolicy is None")] });
  });

  it.each([
    ["a pod that declines", { object: { ...pod, metadata: { labels: { "hedgerow.dev/inject": "false" } } } }],
    ["what is no pod", { object: policy, kind: policyKind }],
    ["a change of a pod", { object: pod, operation: "UPDATE" }],
  ])("lets %s through as it is", async (_, fields) => {
    expect(await ask("/inject", fields)).toEqual({ uid: "u-1", allowed: true });
  });
});

describe("/validate", () => {
  it("refuses with every problem, and records who tried", async () => {
    review = () => ({ problems: ["spec.allow is missing", "unknown field spec.alow"].map(problem), warnings: ["w"] });
    const oldObject = { metadata: { ...policy.metadata, resourceVersion: "11" } };
    expect(
      await ask("/validate", {
        object: policy,
        oldObject,
        kind: policyKind,
        operation: "UPDATE",
        name: "digits",
        dryRun: true,
      }),
    ).toEqual({
      uid: "u-1",
      allowed: false,
      warnings: ["w"],
      status: { code: 422, reason: "Invalid", message: "spec.allow is missing\nunknown field spec.alow" },
    });
    expect(edits).toEqual([
      {
        time: "2026-11-24T10:00:00.000Z",
        user: "ada",
        groups: ["risk", "system:authenticated"],
        operation: "UPDATE",
        apiVersion: "hedgerow.dev/v1alpha1",
        kind: "AccessPolicy",
        namespace: "fraud",
        name: "digits",
        generation: 3,
        resourceVersion: "11",
        objectUid: "o-1",
        dryRun: true,
        allowed: false,
        refusal: "spec.allow is missing\nunknown field spec.alow",
        reviewUid: "u-1",
      },
    ]);
  });

  it("records a deletion, and never refuses it", async () => {
    review = () => ({ problems: [problem("bad")], warnings: [] });
    const deletion = { object: null, oldObject: policy, kind: policyKind, operation: "DELETE", name: "digits" };
    expect(await ask("/validate", deletion)).toEqual({ uid: "u-1", allowed: true });
    expect(edits).toMatchObject([{ operation: "DELETE", allowed: true, generation: 3, resourceVersion: "12" }]);
  });

  it("bounds what it keeps of a name", async () => {
    const userInfo = { username: "x".repeat(10_000), groups: Array(100).fill("g".repeat(1000)) };
    await ask("/validate", { object: policy, kind: policyKind, userInfo });
    expect([edits[0]?.user.length, edits[0]?.groups.length, edits[0]?.groups[0]?.length]).toEqual([256, 32, 256]);
  });

  it("answers, and goes on, where judging fails", async () => {
    review = () => {
      throw new Error("boom");
    };
    expect(await post("/validate", JSON.stringify(asked({ object: policy })))).toEqual({
      status: 500,
      text: "failed\n",
    });
    expect(counted("failed")).toBe("1");
    expect(await ask("/inject", { object: pod })).toMatchObject({ allowed: true });
  });
});

describe("the webhook's port", () => {
  it.each([
    ["/", "POST", 404, ""],
    ["/inject", "GET", 405, ""],
    ["/inject", "POST", 400, "{"],
    ["/inject", "POST", 400, "null"],
    ["/inject", "POST", 400, JSON.stringify({ ...asked({}), apiVersion: "admission.k8s.io/v1beta1" })],
    ["/inject", "POST", 400, JSON.stringify(asked({ uid: 7 }))],
    ["/validate", "POST", 400, JSON.stringify(asked({ operation: "PATCH" }))],
  ])("answers %s %s with %i to a body of %s", async (path, method, status, body) => {
    expect((await post(path, body, method)).status).toBe(status);
  });

  it("takes 3 MiB, and refuses what no API server would send", async () => {
    const large = { ...pod, metadata: { annotations: { a: "x".repeat(3 * 1024 * 1024) } } };
    expect(await ask("/inject", { object: large })).toMatchObject({ allowed: true, patchType: "JSONPatch" });
    const huge = await post("/inject", Buffer.alloc(9 * 1024 * 1024, " ")).catch(String);
    // The server may have closed the connection before all was sent.
    expect([
      { status: 413, text: expect.any(String) },
      "Error: write EPIPE",
      "Error: read ECONNRESET",
      "Error: write ECONNRESET",
    ]).toContainEqual(huge);
  });

  it("refuses more at once than it can hold, and recovers", async () => {
    const body = JSON.stringify(asked({ object: pod }));
    const stalled = connectTls(tls());
    await new Promise((done) => stalled.once("secureConnect", done));
    stalled.on("error", () => {}).write(`POST /inject HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n{`);
    // One that is refused proves that the stalled one had arrived.
    await until("a refusal", async () => (await post("/inject", body)).status === 503 || undefined);
    expect(counted("overloaded")).toBe("1");
    stalled.destroy();
    await until("an answer", async () => (await post("/inject", body)).status === 200 || undefined);
  });

  it("shows its new certificate to who comes after a rotation, and keeps who is there", async () => {
    await ask("/inject", { object: pod });
    const serial = identity.rotate();
    const socket = connectTls(tls());
    await new Promise((done) => socket.once("secureConnect", done));
    expect(socket.getPeerCertificate().serialNumber).toBe(serial);
    socket.destroy();
    expect(await ask("/inject", { object: pod })).toMatchObject({ allowed: true });
  });

  it("is gone when it was stopped, idle connections or none", async () => {
    await ask("/inject", { object: pod });
    const idle = connect(port(), "127.0.0.1");
    await new Promise((done) => idle.once("connect", done));
    idle.on("error", () => {});
    const was = port();
    await webhook[Symbol.asyncDispose]();
    const error = await new Promise((done) => connect(was, "127.0.0.1").once("error", done));
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
  });
});
