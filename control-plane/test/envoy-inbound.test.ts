// What a caller with and without rights gets from the inbound listener of a real Envoy.
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testAuthority } from "./authority.ts";
import { TestEnvoy } from "./envoy.ts";
import { call, EchoApp, freePorts } from "./http.ts";
import { type Identity, identityOf } from "./identity.ts";
import { build, parse, TRUST_DOMAIN } from "./mesh.ts";
import { until } from "./until.ts";

const authority = testAuthority(TRUST_DOMAIN, Date.now);
const callers = {
  api: identityOf(authority, "fraud/api-1", "api"),
  analyst: identityOf(authority, "risk-lab/anyone", "analyst"),
  prober: identityOf(authority, "ops/prober-1", "prober"),
  // Names that begin as allowed ones do.
  namesake: identityOf(authority, "fraud/api-2", "api-2"),
  neighbour: identityOf(authority, "risk-lab-2/anyone", "analyst"),
} satisfies Record<string, Identity>;

let app: EchoApp;
let envoy: TestEnvoy;
let port: number;
let open: number;
let bare: number;

beforeAll(async () => {
  app = await EchoApp.start("digits");
  const other = await EchoApp.start("never called");
  [port = 0, open = 0, bare = 0] = await freePorts(3);
  const { snapshot } = build(
    parse(`
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models, labels: {app: digits}}
spec:
  serviceAccount: digits
  address: 127.0.0.1
  inbound:
    - {name: digits, port: ${port}, appPort: ${app.port}, protocol: http1}
    - {name: open, port: ${open}, appPort: ${app.port}, protocol: http1}
    - {name: bare, port: ${bare}, appPort: ${other.port}, protocol: http1}
---
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: digits}]}
---
apiVersion: v1
kind: Service
metadata: {name: open, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: open}]}
---
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec:
  targetRefs: [{kind: Service, name: digits}]
  allow:
    - {name: scoring, from: [{serviceAccount: fraud/api}], methods: [infer, metadata]}
    - {name: analysts, from: [{namespace: risk-lab}], methods: [metadata, ready]}
    - {name: probes, from: [{serviceAccount: ops/prober}], paths: ["/v2/health/*", /healthz]}
`),
  );
  const proxy = snapshot.get("models/digits-1");
  if (proxy === undefined) throw new Error("no proxy");
  envoy = await TestEnvoy.start(proxy, identityOf(authority, "models/digits-1", "digits"));
  await other[Symbol.asyncDispose]();
});
afterAll(async () => {
  await envoy[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const RPC = "/inference.GRPCInferenceService";
describe("a policy", () => {
  test.each<[caller: keyof typeof callers, path: string, status: number]>([
    ["api", `${RPC}/ModelInfer`, 200],
    ["api", `${RPC}/ModelInfer?encoding=proto&message=x`, 200],
    ["api", "/v2/models/digits/infer", 200],
    ["api", "/v2/models/digits/versions/3/infer", 200],
    ["api", "/v2", 200],
    ["api", `${RPC}/ModelMetadata`, 200],
    ["api", `${RPC}/ModelReady`, 403],
    ["api", "/v2/models/digits/ready", 403],
    ["api", "/v2/models/digits/versions/3/infer/more", 403],
    ["api", "/v2/models/a/b/infer", 403],
    ["api", "/admin", 403],
    ["analyst", "/v2/models/digits", 200],
    ["analyst", "/v2/models/digits/ready", 200],
    ["analyst", "/v2/models/digits/infer", 403],
    ["prober", "/v2/health/ready", 200],
    ["prober", "/healthz", 200],
    ["prober", "/healthz2", 403],
    ["prober", "/v2/models/digits/ready", 403],
    ["namesake", `${RPC}/ModelInfer`, 403],
    ["neighbour", "/v2/models/digits", 403],
    // The same paths in disguise: what is decided on is what the application sees.
    ["prober", "/v2/health/../../admin", 403],
    ["prober", "/v2/health/%2e%2e/%2E%2E/admin", 403],
    // Envoy 1.40 takes ..; for .. as Tomcat does.
    ["prober", "/v2/health/..;/admin", 403],
    ["prober", "/v2/health/..;x=1/admin", 403],
    ["prober", "/v2/health/..%2f..%2fadmin", 400],
    ["prober", "/v2/health/..%5c..%5cadmin", 400],
    ["prober", "/v2/health/x;y", 200],
    ["prober", "/v2/health/.;/admin", 200],
    ["prober", "/v2/health\\..\\..\\admin", 403],
    ["prober", "//v2///health//live", 200],
    ["api", "/v2/models/digits/inf%65r", 200],
    ["api", "/admin?/v2/models/digits/infer", 403],
    ["api", `${RPC}/ModelInfer/../ServerLive`, 403],
    ["prober", `/healthz?x=/../admin`, 200],
  ])("%s %s → %i", async (caller, path, status) => {
    const answer = await call({ port, path, identity: callers[caller] });
    expect(answer.status).toBe(status);
    expect(answer.seen === undefined).toBe(status !== 200);
    // Nothing is left for the application to resolve in its own way.
    expect(answer.seen?.path.split("?")[0] ?? "").not.toMatch(/\/\.\.?(\/|$)|\/\/|\\/);
  });

  test("is named in the log of a refusal, and not to the caller", async () => {
    const path = "/v2/models/refused/ready";
    const answer = await call({ port, path, identity: callers.api, headers: { "x-request-id": "a-request" } });
    expect(answer.body + JSON.stringify(answer.headers)).not.toMatch(/models\/digits|scoring/);
    const line = await until("the line", () => envoy.accessLog().find((entry) => entry["path"] === path));
    expect(line).toMatchObject({
      direction: "inbound",
      request_id: "a-request",
      method: "GET",
      status: 403,
      details: expect.stringMatching(/^rbac_access_denied/),
      peer: `spiffe://${TRUST_DOMAIN}/ns/fraud/sa/api`,
      policy: "models/digits",
    });
  });

  test("speaks gRPC to a gRPC caller", async () => {
    const headers = { "content-type": "application/grpc", te: "trailers" };
    const { headers: got } = await call({ port, path: "/x.Y/Z", method: "POST", headers, identity: callers.api });
    expect(got["grpc-status"]).toBe("7");
  });
});

test("a service without a policy lets every workload of the mesh in", async () => {
  expect(await call({ port: open, path: "/x", identity: callers.neighbour })).toMatchObject({ status: 200 });
});

// As if Envoy took Ed25519, and with the kind of key that it does take.
test.each(["ed25519", "P-256"])("the certificate of a checkpoint key (%s) is nobody's in TLS", async (kind) => {
  const { privateKey, publicKey } =
    kind === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: kind });
  const workload = { nodeId: "fraud/api-1", serviceAccount: "api", region: undefined };
  const spki = publicKey.export({ type: "spki", format: "der" });
  const [leaf] = authority.issueWorkloadCheckpointKey(workload, spki).chain;
  const identity = {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: new X509Certificate(leaf ?? new Uint8Array()).toString(),
    ca: callers.api.ca,
  };
  await expect(call({ port: open, path: "/x", identity })).rejects.toThrow(
    /alert|ECONNRESET|handshake|hang up|bad certificate/i,
  );
  expect(await call({ port: open, path: "/x", identity: callers.api })).toMatchObject({ status: 200 });
});

test("a port without a service lets nobody in", async () => {
  expect(await call({ port: bare, path: "/x", identity: callers.api })).toMatchObject({ status: 403 });
});

describe("no answer", () => {
  const foreign = testAuthority(TRUST_DOMAIN, Date.now);
  const { key, cert, ca } = callers.api;
  test.each([
    ["without TLS", {}],
    ["without a certificate", { identity: { ca } }],
    ["with a certificate of another root", { identity: { ...identityOf(foreign, "fraud/api-1", "api"), ca } }],
    ["over TLS 1.2", { identity: { key, cert, ca }, maxVersion: "TLSv1.2" as const }],
  ])("%s", async (_, options) => {
    await expect(call({ port: open, path: "/never", ...options })).rejects.toThrow(
      /socket hang up|ECONNRESET|alert|EPROTO|disconnected/,
    );
    expect(envoy.accessLog().filter(({ path }) => path === "/never")).toEqual([]);
  });
});

describe("the application sees", () => {
  const seen = async (headers: Record<string, string>) => {
    const answer = await call({ port: open, headers, identity: callers.api });
    return { answer, headers: answer.seen?.headers ?? {} };
  };

  test("no header of ours that a caller made up", async () => {
    const { headers } = await seen({
      "x-hedgerow-decision": "allow",
      "x-hedgerow-": "x",
      "X-Hedgerow-B": "y",
      "x-hedge": "kept",
    });
    expect(Object.keys(headers).filter((name) => name.startsWith("x-hedge"))).toEqual(["x-hedge"]);
  });

  test("the certificate of the connection, not the one that a caller claims", async () => {
    const { headers } = await seen({ "x-forwarded-client-cert": "URI=spiffe://bank.ae/ns/ops/sa/prober" });
    expect(headers["x-forwarded-client-cert"]).toContain(`URI=spiffe://${TRUST_DOMAIN}/ns/fraud/sa/api`);
    expect(headers["x-forwarded-client-cert"]).not.toContain("prober");
  });

  test("the caller's request id, and an id where there was none", async () => {
    expect((await seen({ "x-request-id": "mine" })).headers["x-request-id"]).toBe("mine");
    expect((await seen({})).headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("no wish of a caller about how Envoy is to treat it", async () => {
    const { answer, headers } = await seen({ "x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx" });
    expect(answer.status).toBe(200);
    expect(
      Object.keys(headers).filter((name) => name.startsWith("x-envoy") && name !== "x-envoy-external-address"),
    ).toEqual([]);
  });

  test("and its caller learns nothing of Envoy", async () => {
    const { answer } = await seen({});
    expect(Object.keys(answer.headers).filter((name) => name === "server" || name.startsWith("x-envoy"))).toEqual([]);
  });
});
