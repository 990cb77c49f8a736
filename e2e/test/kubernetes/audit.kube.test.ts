// An AuditPolicy on a real node: switched on under load, recorded in every pod, and verified outside the cluster.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Node } from "../../src/cluster/node.ts";
import type { ClusterMesh } from "../../src/kubernetes/cluster-mesh.ts";
import { startNodeMesh } from "../../src/kubernetes/node-mesh.ts";
import { hedgerow } from "../../src/mesh/command.ts";
import { ledgerDirectories, readRecords } from "../../src/mesh/ledger.ts";
import { until } from "../../src/mesh/until.ts";

const waitMs = 60_000;
const directory = mkdtempSync(join(tmpdir(), "hedgerow-cluster-"));
const open = new AsyncDisposableStack();
open.defer(() => rmSync(directory, { recursive: true, force: true }));
let node: Node;
let mesh: ClusterMesh;

const auditPolicy = `apiVersion: hedgerow.dev/v1alpha1
kind: AuditPolicy
metadata: {name: models, namespace: models}
spec:
  targetRefs: [{kind: Namespace, name: models}]
  durability: {fsync: each}
`;

beforeAll(async () => {
  ({ node, mesh } = await startNodeMesh({ directory, callers: ["reader", "batch-job"] }));
  open.use(node);
}, 300_000);

afterAll(() => open.disposeAsync());

/** Prints every file of a folder of ledgers as JSON: tar is not in every image, Node is. */
const printLedgers = `
const { readdirSync, readFileSync, statSync } = require("node:fs");
const root = process.env.HEDGEROW_AUDIT || process.env.HEDGEROW_STATE + "/audit";
const files = {};
const walk = (at) => { for (const name of readdirSync(root + at)) {
  const path = at + "/" + name;
  if (statSync(root + path).isDirectory()) walk(path); else files[path] = readFileSync(root + path, "base64");
} };
walk("");
console.log(JSON.stringify(files));`;

/** Copies the ledgers of a pod here. */
async function copyLedgers(namespace: string, pod: string, container: string): Promise<string> {
  const program = ["/opt/hedgerow/node_modules/.bin/node", "-e", printLedgers];
  const output = await mesh.kubectl(["-n", namespace, "exec", pod, "-c", container, "--", ...program]);
  const target = join(directory, "copies", pod);
  for (const [path, base64] of Object.entries(JSON.parse(output) as Record<string, string>)) {
    mkdirSync(join(target, path, ".."), { recursive: true });
    writeFileSync(join(target, path), base64, "base64");
  }
  return target;
}

async function expectNoneLost(work: () => Promise<void>): Promise<void> {
  await mesh.load("reader", { anew: true });
  await work();
  await until("requests after it", waitMs, async () => (await mesh.load("reader")).answered > 100, { everyMs: 100 });
  expect(await mesh.failures("reader")).toEqual([]);
}

const effective = async (): Promise<string> =>
  await mesh.kubectl(["-n", "models", "get", "auditpolicy", "models", "-o", "jsonpath={.status.effective}"]);

test("switched on under load: effective on every proxy, and no request is lost", async () => {
  await until("requests", waitMs, async () => (await mesh.load("reader")).answered > 50);
  await expectNoneLost(async () => {
    await mesh.apply(auditPolicy);
    await until("effective", waitMs, async () => (await effective()) === "yes");
  });
  expect(await mesh.kubectl(["-n", "models", "get", "auditpolicy", "models"])).toMatch(/yes +3\/3/);
});

test("every pod records what it was asked and how it ended, and the copies verify", async () => {
  for (const { name } of await mesh.pods("models", "digits")) {
    const records = await until("decisions, outcomes and a refusal", waitMs, async () => {
      const found = ledgerDirectories(await copyLedgers("models", name, "hedgerow-proxy")).flatMap(readRecords);
      const has = (type: string) => found.some((record) => record.type === type);
      return has("decision") && has("outcome") && has("refusal") && found;
    });
    expect(records.find(({ type }) => type === "segment.opened")).toMatchObject({ node: `models/${name}` });
    expect(records.find(({ type }) => type === "decision")).toMatchObject({
      caller: "spiffe://bank.example/ns/apps/sa/reader",
      model: "digits",
      verdict: "allow",
    });
    expect(records.find(({ type }) => type === "refusal")).toMatchObject({
      caller: "spiffe://bank.example/ns/apps/sa/batch-job",
      status: 403,
    });
  }
  const { status, stdout } = await hedgerow("audit", "verify", "--ledger", join(directory, "copies"));
  expect(stdout).not.toContain("✗");
  expect(status).toBe(0);
});

test("who edited the policy is in the control plane's ledger", async () => {
  const pods = JSON.parse(await mesh.kubectl(["-n", "hedgerow-system", "get", "pods", "-o", "json"])) as {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  };
  const copies = await Promise.all(
    pods.items.map(({ metadata }) => copyLedgers("hedgerow-system", metadata.name, "control-plane")),
  );
  const edits = copies.flatMap((copy) => ledgerDirectories(copy).flatMap(readRecords));
  expect(edits.find((record) => record.type === "policy.edited" && record.kind === "AuditPolicy")).toMatchObject({
    operation: "create",
    namespace: "models",
    name: "models",
    by: expect.stringMatching(/admin/),
  });
});

test("an agent that is killed costs no request while another endpoint lives", async () => {
  const [pod] = await mesh.pods("models", "digits");
  await expectNoneLost(async () => {
    const find = `for (const pid of require("node:fs").readdirSync("/proc")) try {
      if (require("node:fs").readFileSync("/proc/" + pid + "/cmdline", "utf8").includes("sidecar/src/main.ts") && pid !== String(process.pid)) process.kill(Number(pid), "SIGKILL");
    } catch {}`;
    const node = "/opt/hedgerow/node_modules/.bin/node";
    await mesh.kubectl(["-n", "models", "exec", pod?.name ?? "", "-c", "hedgerow-proxy", "--", node, "-e", find]);
    await until("the pod is ready again", waitMs, async () => {
      const page = await fetch(`http://${pod?.address}:15020/metrics`).then(
        (answer) => answer.text(),
        () => "",
      );
      return page.includes("hedgerow_agent_ready 1");
    });
  });
});
