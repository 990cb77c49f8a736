import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL } from "@hedgerow/proto";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { decodeJwt } from "jose";
import { describe, expect, test } from "vitest";
import type { Received } from "./ads-client.ts";
import { ControlPlaneDirectory, ControlPlaneProcess, TestAgent } from "./control-plane-process.ts";
import { until } from "./until.ts";

const meshConfig = (trustDomain = "bank.example", lifetime = "24h") => `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  trustDomain: ${trustDomain}
  identity: {lifetime: ${lifetime}}
`;

const workloads = `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: a, namespace: models, labels: {app: digits}}
spec:
  serviceAccount: digits
  address: 127.0.0.1
  inbound: [{name: grpc, port: 8443, appPort: 8080, protocol: grpc}]
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: reader, namespace: apps}
spec:
  serviceAccount: reader
  address: 127.0.0.1
  upstreams: [{service: models/digits, localPort: 15100}]
---
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}
spec:
  selector: {app: digits}
  ports: [{name: grpc, port: 80, targetPort: grpc}]
`;
const cluster = "outbound/models/digits/80";

const digitsMesh = () => new ControlPlaneDirectory({ "mesh.yaml": meshConfig(), "workloads.yaml": workloads });

function endpointPorts({ message }: Received): readonly number[] {
  return message.resources.flatMap(({ resource }) =>
    fromBinary(ClusterLoadAssignmentSchema, resource?.value ?? new Uint8Array()).endpoints.flatMap(({ lbEndpoints }) =>
      lbEndpoints.map(({ hostIdentifier }) => {
        const address = hostIdentifier.case === "endpoint" ? hostIdentifier.value.address?.address : undefined;
        return address?.case === "socketAddress" ? Number(address.value.portSpecifier.value) : 0;
      }),
    ),
  );
}

/** Name → version of all that came. */
const versions = (received: readonly Received[]) =>
  Object.fromEntries(received.flatMap(({ message }) => message.resources.map(({ name, version }) => [name, version])));

describe("a control plane", () => {
  test("takes an agent from its token to its configuration; readiness brings endpoints and takes them away", async () => {
    using directory = digitsMesh();
    await using controlPlane = new ControlPlaneProcess(directory);
    using reader = await TestAgent.enroll(controlPlane, "apps/reader");
    using predictor = await TestAgent.enroll(controlPlane, "models/a");
    expect(reader.svid.spiffeId).toBe("spiffe://bank.example/ns/apps/sa/reader");

    const ads = await reader.ads(controlPlane);
    ads.subscribe({ typeUrl: CLUSTER_TYPE_URL, subscribe: ["*"] });
    expect((await ads.take()).names).toContain(cluster);
    ads.subscribe({ typeUrl: ENDPOINT_TYPE_URL, subscribe: [cluster] });
    expect(endpointPorts(await ads.take())).toEqual([]);

    const report = await predictor.report(controlPlane);
    report.write({ ready: false, reason: "port 8080 refuses" });
    report.write({ ready: true });
    expect(endpointPorts(await ads.take())).toEqual([8443]);
    report.write({ ready: false, reason: "draining" });
    expect(endpointPorts(await ads.take())).toEqual([]);
  });

  test("refuses another's node id on ADS, and gives a removed Workload no new SVID", async () => {
    using directory = digitsMesh();
    await using controlPlane = new ControlPlaneProcess(directory);
    using reader = await TestAgent.enroll(controlPlane, "apps/reader");
    const ads = await reader.ads(controlPlane, "models/a");
    ads.subscribe({ typeUrl: CLUSTER_TYPE_URL, subscribe: ["*"] });
    expect((await ads.ended).code).toBe(status.PERMISSION_DENIED);

    expect((await reader.renew(controlPlane))?.nodeId).toBe("apps/reader");
    directory.write(
      "workloads.yaml",
      workloads.replace("name: reader, namespace: apps", "name: other, namespace: apps"),
    );
    await until("the change", async () => {
      const { objects } = await controlPlane.admin.getStatus({});
      return objects.every(({ name }) => name !== "reader") ? true : undefined;
    });
    await expect(reader.renew(controlPlane)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  });

  test("gives a lifetime as MeshConfig says now", async () => {
    using directory = digitsMesh();
    await using controlPlane = new ControlPlaneProcess(directory);
    using reader = await TestAgent.enroll(controlPlane, "apps/reader");
    const lifetime = async () => {
      const svid = await reader.renew(controlPlane);
      return Number(svid?.notAfter?.seconds ?? 0n) - Math.floor(Date.now() / 1000);
    };
    expect(await lifetime()).toBeGreaterThan(86_000);
    directory.write("mesh.yaml", meshConfig("bank.example", "60s"));
    await until("the change", async () => {
      const { objects } = await controlPlane.admin.getStatus({});
      return objects.some(({ observedGeneration }) => observedGeneration === 2n) ? true : undefined;
    });
    expect(await lifetime()).toBeLessThanOrEqual(60);
  });

  test("killed and started again serves the same: authority, spent tokens, ready set and versions", async () => {
    using directory = digitsMesh();
    const first = new ControlPlaneProcess(directory);
    await using _ = first;
    const token = await tokenOnceServing(first);
    using reader = await TestAgent.enroll(first, "apps/reader", token);
    using predictor = await TestAgent.enroll(first, "models/a");
    (await predictor.report(first)).write({ ready: true });
    const before = await reader.ads(first);
    before.subscribe({ typeUrl: CLUSTER_TYPE_URL, subscribe: ["*"] });
    const clusters = await before.take();
    before.subscribe({ typeUrl: ENDPOINT_TYPE_URL, subscribe: [cluster] });
    let endpoints = await before.take();
    while (endpointPorts(endpoints).length === 0) endpoints = await before.take();
    before.subscribe({ typeUrl: LISTENER_TYPE_URL, subscribe: ["*"] });
    const listeners = await before.take();
    await until("the ready set on disk", () =>
      readFileSync(`${directory.state}/ready.json`, "utf8").includes("models/a") ? true : undefined,
    );

    await first.stop("SIGKILL");
    await using second = new ControlPlaneProcess(directory);
    await expect(TestAgent.enroll(second, "apps/reader", token)).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
    expect((await reader.renew(second))?.trustBundle).toEqual(reader.svid.trustBundle);
    const after = await reader.ads(second);
    after
      .subscribe({ typeUrl: CLUSTER_TYPE_URL, subscribe: ["*"], versions: versions([clusters]) })
      .subscribe({ typeUrl: ENDPOINT_TYPE_URL, subscribe: [cluster], versions: versions([endpoints]) })
      .subscribe({ typeUrl: LISTENER_TYPE_URL, subscribe: ["*"], versions: versions([listeners]) });
    // A wildcard that is up to date may be answered with nothing in it; the first content must be the change made now.
    (await predictor.report(second)).write({ ready: false, reason: "draining" });
    let next = await after.take();
    while (next.names.length === 0 && next.removed.length === 0) next = await after.take();
    expect([next.typeUrl, next.names, endpointPorts(next)]).toEqual([ENDPOINT_TYPE_URL, [cluster], []]);
  });

  test("counts what it pushes and how it is answered, by types that are its own", async () => {
    using directory = digitsMesh();
    await using controlPlane = new ControlPlaneProcess(directory);
    using reader = await TestAgent.enroll(controlPlane, "apps/reader");
    const ads = await reader.ads(controlPlane);
    ads.subscribe({ typeUrl: CLUSTER_TYPE_URL, subscribe: ["*"] });
    await ads.take();
    ads.subscribe({ typeUrl: LISTENER_TYPE_URL, subscribe: ["*"] });
    ads.nack(await ads.next(), "no");
    ads.subscribe({ typeUrl: "type.googleapis.com/a.stranger", subscribe: ["x"] });
    await ads.take();
    const metrics = await controlPlane.address("metrics");
    const counts = await until("the last ACK to be counted", async () => {
      const text = await (await fetch(`http://${metrics}/metrics`)).text();
      const lines = text.split("\n").filter((line) => /^hedgerow_ads_.* [1-9]/.test(line));
      return lines.includes('hedgerow_ads_acks_total{type="other"} 1') ? lines : undefined;
    });
    expect(counts).toEqual([
      'hedgerow_ads_pushes_total{type="Cluster"} 1',
      'hedgerow_ads_pushes_total{type="Listener"} 1',
      'hedgerow_ads_pushes_total{type="other"} 1',
      'hedgerow_ads_acks_total{type="Cluster"} 1',
      'hedgerow_ads_acks_total{type="other"} 1',
      'hedgerow_ads_nacks_total{type="Listener"} 1',
    ]);
  });

  test("stops within seconds on SIGTERM, with streams open", async () => {
    using directory = digitsMesh();
    await using controlPlane = new ControlPlaneProcess(directory);
    using reader = await TestAgent.enroll(controlPlane, "apps/reader");
    const ads = await reader.ads(controlPlane);
    ads.subscribe({ typeUrl: CLUSTER_TYPE_URL, subscribe: ["*"] });
    await ads.take();
    (await reader.report(controlPlane)).write({ ready: true });
    const startMs = performance.now();
    expect(await controlPlane.stop()).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect((await ads.ended).code).toBe(status.UNAVAILABLE);
    expect(controlPlane.stderr).toBe("");
  });

  test("is alone in its state directory", async () => {
    using directory = digitsMesh();
    await using controlPlane = new ControlPlaneProcess(directory);
    await controlPlane.address("mesh");
    await using second = new ControlPlaneProcess(directory, { HEDGEROW_ADMIN_SOCKET: join(directory.path, "a.sock") });
    expect(await second.exited()).toBe(1);
    expect(await second.line(({ level }) => level === "fatal")).toMatchObject({ err: { code: "STATE_IN_USE" } });
    expect((await controlPlane.admin.getVersion({})).trustDomain).toBe("bank.example");
  });
});

describe("the trust domain", () => {
  test("is awaited where no MeshConfig is, and the status says so", async () => {
    using directory = new ControlPlaneDirectory({ "workloads.yaml": workloads });
    await using controlPlane = new ControlPlaneProcess(directory);
    await controlPlane.line(({ msg }) => msg === "Waiting for a MeshConfig to name the trust domain");
    expect((await controlPlane.admin.getStatus({})).problems).toMatchObject([{ code: "missing_mesh_config" }]);
    const metrics = await controlPlane.address("metrics");
    expect((await fetch(`http://${metrics}/readyz`)).status).toBe(503);
    directory.write("mesh.yaml", meshConfig());
    const token = await tokenOnceServing(controlPlane);
    using reader = await TestAgent.enroll(controlPlane, "apps/reader", token);
    const presented = createHash("sha256").update(new X509Certificate(reader.files.ca).raw).digest("hex");
    expect(decodeJwt(token)["roots"]).toEqual([presented]);
    expect(reader.svid.spiffeId).toBe("spiffe://bank.example/ns/apps/sa/reader");
    expect((await controlPlane.admin.getStatus({})).problems).toEqual([]);
    expect((await fetch(`http://${metrics}/readyz`)).status).toBe(200);
    expect(await (await fetch(`http://${metrics}/metrics`)).text()).toContain(
      'hedgerow_svid_requests_total{method="enroll",outcome="issued"} 1\n',
    );
  });

  test("and the lifetime of SVIDs stay when the MeshConfig is gone, which the status says", async () => {
    using directory = new ControlPlaneDirectory({
      "mesh.yaml": meshConfig("bank.example", "1h"),
      "workloads.yaml": workloads,
    });
    await using controlPlane = new ControlPlaneProcess(directory);
    await controlPlane.address("mesh");
    rmSync(join(directory.path, "manifests/mesh.yaml"));
    await until("the problem", async () => {
      const { problems } = await controlPlane.admin.getStatus({});
      return problems.some(({ code }) => code === "missing_mesh_config") ? true : undefined;
    });
    using reader = await TestAgent.enroll(controlPlane, "apps/reader");
    const { notBefore, notAfter } = reader.svid;
    expect(Number(notAfter?.seconds) - Number(notBefore?.seconds)).toBeLessThan(3_700);
  });

  test("stays, whatever a later MeshConfig says, which is told on it", async () => {
    using directory = digitsMesh();
    await using controlPlane = new ControlPlaneProcess(directory);
    await controlPlane.address("mesh");
    directory.write("mesh.yaml", meshConfig("other.example"));
    await until("the condition", async () => {
      const { objects } = await controlPlane.admin.getStatus({});
      const accepted = objects
        .find(({ kind }) => kind === "MeshConfig")
        ?.conditions.find(({ type }) => type === "Accepted");
      return accepted?.status === "False" && accepted.reason === "TrustDomainFixed" ? true : undefined;
    });
    using reader = await TestAgent.enroll(controlPlane, "apps/reader");
    expect(reader.svid.spiffeId).toBe("spiffe://bank.example/ns/apps/sa/reader");
  });
});

async function tokenOnceServing(controlPlane: ControlPlaneProcess): Promise<string> {
  await controlPlane.address("mesh");
  return (await controlPlane.admin.createToken({ nodeId: "apps/reader" })).token;
}
