import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { type GrpcClient, grpcClient } from "@hedgerow/proto";
import { CertificateService, EnrollmentService, type Svid } from "@hedgerow/proto/hedgerow/ca/v1/ca";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { testCsr, testKey } from "../../test/csr.ts";
import {
  channelCredentials,
  peerFiles,
  type TestServer,
  testServer,
  testWorkload,
  tlsConnect,
} from "../../test/peer.ts";
import type { Attestation } from "./attestation.ts";
import type { IssuedCertificate } from "./authority.ts";
import type { WorkloadIdentity } from "./names.ts";
import { ServerIdentity } from "./server-identity.ts";
import { certificateService, enrollmentService, type IssuanceDeps } from "./service.ts";
import { SpentTokens } from "./spent-tokens.ts";

const identity: WorkloadIdentity = { nodeId: "models/a", serviceAccount: "digits", region: "eu" };

let dir: string;
let authority: IssuanceDeps["authority"];
let skewMs: number;
/** Where the clock stands still. */
let stoppedMs: number | undefined;
let workloads: Map<string, WorkloadIdentity>;
let pods: Map<string, WorkloadIdentity>;
let attestation: Attestation;
let ca: string;
let open: AsyncDisposableStack;
let outcomes: string[];
let issued: (IssuedCertificate & { readonly nodeId: string })[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-enroll-"));
  skewMs = 0;
  stoppedMs = undefined;
  authority = testAuthority("bank.example", now);
  ca = peerFiles(testKey(), [], authority.trustBundle).ca;
  workloads = new Map([[identity.nodeId, identity]]);
  pods = new Map();
  attestation = { kind: "refused", cause: "nobody's" };
  outcomes = [];
  issued = [];
  open = new AsyncDisposableStack();
  open.defer(() => rmSync(dir, { recursive: true }));
});
afterEach(() => open.disposeAsync());

const now = () => stoppedMs ?? Date.now() + skewMs;

/** The two ports, as after a start with this directory. */
async function start(changes: Partial<IssuanceDeps> = {}) {
  const stack = new AsyncDisposableStack();
  const deps: IssuanceDeps = {
    authority,
    spentTokens: stack.use(await SpentTokens.open(dir, now)),
    workload: (nodeId) => workloads.get(nodeId),
    pod: (nodeId) => pods.get(nodeId),
    attestPod: async () => attestation,
    svidLifetimeMs: () => 60_000,
    issued: async (certificate, nodeId) => {
      issued.push({ nodeId, ...certificate });
    },
    now,
    logger: pino({ enabled: false }),
    counted: (method, outcome) => outcomes.push(`${method} ${outcome}`),
    ...changes,
  };
  const own = stack.use(new ServerIdentity(authority));
  const listen = async (services: Parameters<typeof testServer>[1], clientCertificate: boolean): Promise<TestServer> =>
    stack.use(await testServer(own.grpcCredentials({ clientCertificate }), services));
  const enrollPort = await listen([enrollmentService(deps)], false);
  const meshPort = await listen([certificateService(deps)], true);
  const client = grpcClient(EnrollmentService, enrollPort.address, channelCredentials(ca));
  stack.defer(() => client.close());
  return {
    meshPort,
    stop: () => stack.disposeAsync(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
    enroll: (token: string, csr = testCsr()) => enroll(client, token, csr),
    renew: async (files: { key: string; cert: string }, csr = testCsr()) => {
      const caller = grpcClient(CertificateService, meshPort.address, channelCredentials(ca, files));
      try {
        return await new Promise<Svid | undefined>((resolve, reject) =>
          caller.renew({ csr }, new Metadata(), {}, (error, response) =>
            error ? reject(error) : resolve(response?.svid),
          ),
        );
      } finally {
        caller.close();
      }
    },
  };
}

function enroll(client: GrpcClient<typeof EnrollmentService>, token: string, csr: Uint8Array) {
  return new Promise<Svid | undefined>((resolve, reject) =>
    client.enroll({ token, csr }, new Metadata(), {}, (error, response) =>
      error ? reject(error) : resolve(response?.svid),
    ),
  );
}

async function started(changes: Partial<IssuanceDeps> = {}) {
  const server = await start(changes);
  open.defer(server.stop);
  return server;
}

const tokenFor = async (workload = identity, reusable = false, ttlMs = 60_000) =>
  (await authority.createToken(workload, { ttlMs, reusable })).token;
const refused = (code: status, details?: RegExp) =>
  expect.objectContaining({
    code,
    details: details === undefined ? expect.anything() : expect.stringMatching(details),
  });

describe("enrolment", () => {
  test("gives the SVID of the token's Workload, by which its key gets through mTLS", async () => {
    const { enroll, meshPort } = await started();
    const key = testKey();
    const svid = await enroll(await tokenFor(), testCsr(key));
    expect(svid).toMatchObject({ spiffeId: "spiffe://bank.example/ns/models/sa/digits", nodeId: "models/a" });
    const leaf = new X509Certificate(svid?.certificateChain[0] ?? new Uint8Array());
    expect(leaf.subjectAltName).toContain("DNS:a.models.instance.hedgerow.internal, DNS:eu.region.hedgerow.internal");
    expect(svid?.notAfter && timestampMs(svid.notAfter)).toBe(leaf.validToDate.getTime());
    const files = peerFiles(key, svid?.certificateChain ?? [], svid?.trustBundle ?? []);
    (await tlsConnect(meshPort.address, files)).destroy();
    expect(outcomes).toEqual(["enroll issued"]);
    expect(issued).toMatchObject([{ nodeId: "models/a", spiffeId: svid?.spiffeId }]);
    expect(BigInt(`0x${issued[0]?.serial}`)).toBe(BigInt(`0x${leaf.serialNumber}`));
  });

  test("of 20 at once with one single-use token exactly one wins", async () => {
    const { enroll } = await started();
    const token = await tokenFor();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => enroll(token)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refusals = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    expect(refusals).toEqual(Array(19).fill(refused(status.UNAUTHENTICATED, /^join token refused$/)));
  });

  test("with a spent token is refused after a restart too; with a reusable one it goes on, for the same node", async () => {
    const first = await start();
    const [once, reusable] = [await tokenFor(), await tokenFor(identity, true)];
    await first.enroll(once);
    await first.enroll(reusable);
    await first.stop();
    const { enroll } = await started();
    await expect(enroll(once)).rejects.toEqual(refused(status.UNAUTHENTICATED));
    expect((await enroll(reusable))?.nodeId).toBe("models/a");
    expect((await enroll(reusable))?.nodeId).toBe("models/a");
  });

  test("that fails for another reason does not cost the token", async () => {
    const { enroll } = await started();
    const token = await tokenFor();
    await expect(enroll(token, Buffer.from("no request"))).rejects.toEqual(refused(status.INVALID_ARGUMENT, /PKCS#10/));
    workloads.clear();
    await expect(enroll(token)).rejects.toEqual(refused(status.FAILED_PRECONDITION, /no Workload models\/a/));
    workloads.set(identity.nodeId, { ...identity, region: "us" });
    await expect(enroll(token)).rejects.toEqual(refused(status.FAILED_PRECONDITION, /region/));
    workloads.set(identity.nodeId, identity);
    expect((await enroll(token))?.nodeId).toBe("models/a");
  });

  test("with an expired token is refused", async () => {
    const { enroll } = await started();
    const token = await tokenFor(identity, true, 1_000);
    skewMs = 5_000;
    await expect(enroll(token)).rejects.toEqual(refused(status.UNAUTHENTICATED, /^join token refused$/));
  });

  test("as the control plane itself is refused", async () => {
    const { enroll } = await started();
    const impostor = { nodeId: "hedgerow-system/x", serviceAccount: "control-plane", region: undefined };
    workloads.set(impostor.nodeId, impostor);
    await expect(enroll(await tokenFor(impostor))).rejects.toEqual(refused(status.FAILED_PRECONDITION));
  });

  test("is limited for each address", async () => {
    const { enroll } = await started();
    // On a slow machine the limit would grow as fast as requests come.
    stoppedMs = Date.now();
    const results = await Promise.allSettled(Array.from({ length: 700 }, () => enroll("x")));
    const codes = new Set(results.map((result) => result.status === "rejected" && result.reason.code));
    expect(codes).toEqual(new Set([status.UNAUTHENTICATED, status.RESOURCE_EXHAUSTED]));
  });
});

describe("enrolment of a pod", () => {
  const pod: WorkloadIdentity = { nodeId: "models/web-0.blue", serviceAccount: "digits", region: "eu" };
  const token = `${Buffer.from(JSON.stringify({ alg: "RS256" })).toString("base64url")}.e30.x`;

  test("gives the SVID of the pod that its token is bound to", async () => {
    const { enroll } = await started();
    attestation = { kind: "attested", identity: pod };
    const svid = await enroll(token);
    expect(svid).toMatchObject({ spiffeId: "spiffe://bank.example/ns/models/sa/digits", nodeId: "models/web-0.blue" });
    const leaf = new X509Certificate(svid?.certificateChain[0] ?? new Uint8Array());
    expect(leaf.subjectAltName).toContain("DNS:web-0.blue.models.instance.hedgerow.internal");
  });

  test.each<[Attestation, status, RegExp]>([
    [{ kind: "refused", cause: "no" }, status.UNAUTHENTICATED, /^service-account token refused$/],
    [{ kind: "gone", details: "pod models/x is gone" }, status.FAILED_PRECONDITION, /^pod models\/x is gone$/],
    [{ kind: "unavailable", cause: "no" }, status.UNAVAILABLE, /^the API server can't be asked/],
    [
      { kind: "attested", identity: { ...pod, nodeId: "hedgerow-system/x", serviceAccount: "control-plane" } },
      status.FAILED_PRECONDITION,
      /the control plane's own/,
    ],
  ])("%o", async (answer, code, details) => {
    const { enroll } = await started();
    attestation = answer;
    await expect(enroll(token)).rejects.toEqual(refused(code, details));
  });

  test("is not tried where there is no cluster, nor for what is too long or comes with a bad request", async () => {
    attestation = { kind: "attested", identity: pod };
    const { enroll } = await started();
    await expect(enroll("x".repeat(4097))).rejects.toEqual(refused(status.UNAUTHENTICATED));
    await expect(enroll(token, Buffer.from("x"))).rejects.toEqual(refused(status.INVALID_ARGUMENT, /PKCS#10/));
    await using directory = await start({ attestPod: undefined, spentTokens: undefined });
    await expect(directory.enroll(token)).rejects.toEqual(refused(status.UNAUTHENTICATED, /^join token refused$/));
  });

  test("stands beside that of Workloads: of those the reusable tokens count", async () => {
    const { enroll } = await started({ spentTokens: undefined });
    await expect(enroll(await tokenFor())).rejects.toEqual(refused(status.UNAUTHENTICATED, /^join token refused$/));
    expect((await enroll(await tokenFor(identity, true)))?.nodeId).toBe("models/a");
  });

  test("is renewed while the pod stands, and by nobody who was another", async () => {
    const { renew } = await started();
    const files = testWorkload(authority, pod.nodeId, { region: "eu" });
    await expect(renew(files)).rejects.toEqual(refused(status.FAILED_PRECONDITION, /no Workload or pod/));
    pods.set(pod.nodeId, pod);
    expect((await renew(files))?.nodeId).toBe(pod.nodeId);
    pods.set(pod.nodeId, { ...pod, serviceAccount: "other" });
    await expect(renew(files)).rejects.toEqual(refused(status.FAILED_PRECONDITION, /changed, enrol again/));
    // A Workload of the same name does not speak for the pod, nor the pod for it.
    workloads.set(pod.nodeId, pod);
    expect((await renew(files))?.spiffeId).toBe("spiffe://bank.example/ns/models/sa/digits");
  });
});

describe("renewal", () => {
  test("signs a new key for the identity that the connection proved", async () => {
    const { renew } = await started();
    const svid = await renew(testWorkload(authority, "models/a", { region: "eu" }));
    expect(svid).toMatchObject({ spiffeId: "spiffe://bank.example/ns/models/sa/digits", nodeId: "models/a" });
  });

  test.each([
    ["the Workload is gone", () => workloads.clear(), /no Workload or pod/],
    [
      "its service account changed",
      () => workloads.set("models/a", { ...identity, serviceAccount: "other" }),
      /identity/,
    ],
    ["its region changed", () => workloads.set("models/a", { ...identity, region: "us" }), /identity/],
  ])("is refused when %s", async (_, change, details) => {
    const { renew } = await started();
    change();
    const files = testWorkload(authority, "models/a", { region: "eu" });
    await expect(renew(files)).rejects.toEqual(refused(status.FAILED_PRECONDITION, details));
  });

  test("is refused to people and to the control plane", async () => {
    const { renew } = await started();
    const key = testKey();
    const spki = key.publicKey.export({ type: "spki", format: "der" });
    for (const { chain } of [
      authority.issueAdmin("operator", "ada", spki, 60_000),
      authority.issueControlPlane(spki, 60_000),
    ])
      await expect(renew(peerFiles(key, chain, []))).rejects.toEqual(refused(status.PERMISSION_DENIED));
  });

  test("is refused for a request that is none, and limited for each node", async () => {
    const { renew } = await started();
    const files = testWorkload(authority, "models/a", { region: "eu" });
    await expect(renew(files, Buffer.alloc(5000))).rejects.toEqual(refused(status.INVALID_ARGUMENT, /at most 4096/));
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => renew(files)));
    expect(
      results.some((result) => result.status === "rejected" && result.reason.code === status.RESOURCE_EXHAUSTED),
    ).toBe(true);
    workloads.set("models/b", { ...identity, nodeId: "models/b" });
    expect((await renew(testWorkload(authority, "models/b", { region: "eu" })))?.nodeId).toBe("models/b");
  });
});
