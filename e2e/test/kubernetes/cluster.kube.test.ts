// The test cluster itself: what the other tests of this project rely on.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildImages, type Node, startNode, until } from "../../src/index.ts";

const directory = mkdtempSync(join(tmpdir(), "hedgerow-node-"));
let node: Node;

beforeAll(async () => {
  const images = await buildImages(["control-plane", "sidecar", "predictor", "toolbox"]);
  node = await startNode({ directory: join(directory, "first"), images });
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** A pod of one container that is not started again. */
function pod(name: string, image: string, container: object, labels: Readonly<Record<string, string>> = {}): string {
  const containers = [{ name: "only", image: `hedgerow.dev/${image}:dev`, imagePullPolicy: "Never", ...container }];
  const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers };
  return JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec });
}

/** Runs a pod to its end: its exit status and what it wrote. */
async function runPod(name: string, image: string, container: object): Promise<{ status: number; log: string }> {
  await node.kubectl(["apply", "-f", "-"], pod(name, image, container));
  const status = await until(`pod ${name} ends`, 60_000, async () => {
    const path = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
    return (await node.kubectl(["get", "pod", name, "-o", path])) || undefined;
  });
  return { status: Number(status), log: await node.kubectl(["logs", name]) };
}

/** Runs a shell command in the pod `shell`. */
const shell = (command: string): Promise<string> => node.kubectl(["exec", "shell", "--", "sh", "-c", command]);

/** What an HTTP server says to the pod `shell`. */
const ask = (address: string): Promise<string> => shell(`timeout 3 wget -q -O - http://${address}/`);

test("pods run, and find each other by the names that people write", async () => {
  const serve = ["node", "-e", "require('http').createServer((_, answer) => answer.end('hello')).listen(8080)"];
  await node.kubectl(["apply", "-f", "-"], pod("web-0", "toolbox", { command: serve }, { app: "web" }));
  await node.kubectl(["apply", "-f", "-"], pod("shell", "toolbox", { command: ["sleep", "3600"] }));
  await node.kubectl(["expose", "pod", "web-0", "--name=web", "--port=80", "--target-port=8080"]);
  await node.kubectl(["expose", "pod", "web-0", "--name=headless", "--cluster-ip=None", "--port=8080"]);
  await node.kubectl(["wait", "--for=condition=Ready", "pod/web-0", "pod/shell", "--timeout=60s"]);
  for (const address of ["web", "web.default", "web.default.svc.cluster.local", "headless.default.svc:8080"])
    await until(`an answer of ${address}`, 15_000, async () => (await ask(address)) === "hello");
  await expect(ask("absent.default")).rejects.toThrow("bad address");
});

test("node resolves names in a pod as well, and none that is not the cluster's", async () => {
  const lookup = (name: string) =>
    shell(`node -e 'require("dns").lookup("${name}", (e, a) => console.log(e?.code ?? a))'`);
  expect(await lookup("kubernetes.default")).toBe("10.96.0.1\n");
  expect(await lookup("example.com")).toBe("ENOTFOUND\n");
});

test("a pod of a StatefulSet has a name", async () => {
  const labels = { app: "db" };
  const containers = [
    { name: "only", image: "hedgerow.dev/toolbox:dev", imagePullPolicy: "Never", command: ["sleep", "3600"] },
  ];
  const spec = {
    serviceName: "db",
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers } },
  };
  const set = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "db" }, spec };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "db" },
    spec: { clusterIP: "None", selector: labels },
  };
  await node.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: [service, set] }));
  await node.kubectl(["rollout", "status", "statefulset/db", "--timeout=60s"]);
  const address = await node.kubectl(["get", "pod", "db-0", "-o", "jsonpath={.status.podIP}"]);
  const found = await until("its name", 15_000, () => shell("nslookup db-0.db.default.svc.cluster.local"));
  expect(found).toContain(`Address: ${address}`);
});

test("a process on this machine reaches pods, and pods reach it", async () => {
  const server = createServer((_, response) => response.end("from the host")).listen(0, node.hostAddress);
  try {
    const address = await until("a port", 1_000, () => server.address() ?? undefined);
    const port = typeof address === "object" ? address.port : 0;
    expect(await ask(`${node.hostAddress}:${port}`)).toBe("from the host");
  } finally {
    server.close();
  }
  const web = await node.kubectl(["get", "pod", "web-0", "-o", "jsonpath={.status.podIP}"]);
  expect(await (await fetch(`http://${web}:8080/`)).text()).toBe("hello");
});

test("a pod and its Service outlive an outage of the API server and of etcd", async () => {
  await node.apiServer.kill();
  await node.etcd.kill();
  await node.etcd.start();
  await node.apiServer.start();
  await until("an answer", 15_000, async () => (await ask("web")) === "hello");
  expect(
    await node.kubectl(["get", "pod", "web-0", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"]),
  ).toBe("0");
});

test("the images start: control plane, Envoy beside iptables, predictor", async () => {
  const controlPlane = await runPod("control-plane", "control-plane", {});
  expect(controlPlane.log).toContain("HEDGEROW_");
  expect(controlPlane.status).toBe(2);
  const envoy = await runPod("envoy", "sidecar", { command: ["envoy", "--version"] });
  expect(envoy.log).toContain("/1.40.");
  const capture = await runPod("iptables", "sidecar", {
    command: ["iptables", "-t", "nat", "-S"],
    securityContext: { runAsUser: 0, capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } },
  });
  expect(capture).toMatchObject({ status: 0, log: expect.stringContaining("-P OUTPUT ACCEPT") as unknown });
  const agent = await runPod("agent", "sidecar", { command: ["node", "/opt/hedgerow/sidecar/src/main.ts"] });
  expect(agent.log).toContain("HEDGEROW_");
  expect(agent.status).toBe(2);
  const command = ["node", "/opt/hedgerow/predictor/src/main.ts"];
  const env = [
    { name: "HEDGEROW_LISTEN", value: "0.0.0.0:8080" },
    { name: "HEDGEROW_METRICS_LISTEN", value: "0.0.0.0:9090" },
  ];
  await node.kubectl(["apply", "-f", "-"], pod("predictor", "predictor", { command, env }));
  await until("a model is loaded", 60_000, async () => {
    const lines = await node.kubectl(["logs", "predictor"]);
    return lines.includes('"model":"digits"');
  });
});

test("an image that differs takes the place of one that is there", async () => {
  await node.load(await buildImages(["toolbox"], { texts: { "/etc/changed": "yes\n" } }));
  expect((await runPod("changed", "toolbox", { command: ["cat", "/etc/changed"] })).log).toBe("yes\n");
});

test("a second node stands beside the first and leaves nothing behind", async () => {
  const second = join(directory, "second");
  const other = await startNode({ directory: second, images: [] });
  try {
    expect(other.index).not.toBe(node.index);
    expect(await other.kubectl(["get", "pods", "-A", "-o", "name"])).toBe("");
    expect(tracesOf(second, other.index)).toMatchObject({ interfaces: [`hedgerow${other.index}`] });
  } finally {
    await other[Symbol.asyncDispose]();
  }
  expect(tracesOf(second, other.index)).toEqual({ processes: [], mounts: [], interfaces: [], cgroups: [] });
  expect(readdirSync(second)).not.toContain("containerd");
});

test("of a node whose owner was killed only cgroups are left, and the next start removes them", async () => {
  const killed = join(directory, "killed");
  const script = `import { startNode } from ${JSON.stringify(join(import.meta.dirname, "../../src/cluster/node.ts"))};
    const node = await startNode({ directory: ${JSON.stringify(killed)}, images: [] });
    process.stdout.write(String(node.index), () => process.kill(process.pid, "SIGKILL"));`;
  const { stdout, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(signal).toBe("SIGKILL");
  const index = Number(stdout);
  await until("all of it ends", 20_000, () => tracesOf(killed, index).processes.length === 0);
  await until("its interface goes", 20_000, () => tracesOf(killed, index).interfaces.length === 0);
  expect(tracesOf(killed, index)).toMatchObject({ mounts: [], cgroups: [`hedgerow-${index}`] });
  await using other = await startNode({ directory: join(directory, "third"), images: [] });
  expect(tracesOf(killed, index).cgroups).toEqual(other.index === index ? [`hedgerow-${index}`] : []);
});

/** What a node leaves traces in. */
function tracesOf(
  path: string,
  index: number,
): Readonly<Record<"processes" | "mounts" | "interfaces" | "cgroups", readonly string[]>> {
  const lines = (text: string) => text.split("\n").filter((line) => line.includes(path));
  const hierarchy = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].find((folder) => existsSync(folder)) ?? "";
  return {
    processes: lines(execFileSync("ps", ["-eo", "args="], { encoding: "utf8" })).map((line) => line.slice(0, 200)),
    mounts: lines(readFileSync("/proc/mounts", "utf8")),
    interfaces: readdirSync("/sys/class/net").filter((name) => name === `hedgerow${index}`),
    cgroups: readdirSync(hierarchy).filter((name) => name === `hedgerow-${index}`),
  };
}
