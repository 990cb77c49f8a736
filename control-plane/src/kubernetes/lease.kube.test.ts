import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startApiServer, type TestApiServer, type Wire, wireTo } from "../../test/api-server.ts";
import { until } from "../../test/until.ts";
import { KubernetesClient } from "./client.ts";
import { LeaderElection } from "./lease.ts";

let api: TestApiServer;
let open: AsyncDisposableStack;
let name: string;
let number = 0;
beforeAll(async () => {
  api = await startApiServer();
}, 120_000);
afterAll(() => api[Symbol.asyncDispose](), 60_000);
beforeEach(() => {
  name = `lease-${number++}`;
  open = new AsyncDisposableStack();
  return () => open.disposeAsync();
});

interface Contender {
  readonly wire: Wire;
  readonly election: LeaderElection;
  /** Of performance.now(); the last may have no end yet. */
  readonly reigns: { fromMs: number; toMs: number | undefined }[];
}

const logger = pino({ enabled: false });

async function contender(identity: string): Promise<Contender> {
  const wire = open.use(await wireTo(api.access));
  const client = open.use(new KubernetesClient(wire.access, { logger }));
  const reigns: Contender["reigns"] = [];
  const election = new LeaderElection({
    client,
    namespace: "default",
    name,
    identity,
    monotonicMs: () => performance.now(),
    now: Date.now,
    logger,
    onChange: (isLeader) => {
      const last = reigns.at(-1);
      if (isLeader) reigns.push({ fromMs: performance.now(), toMs: undefined });
      else if (last !== undefined) last.toMs = performance.now();
    },
  });
  open.use(election);
  return { wire, election, reigns };
}

const leaders = (contenders: readonly Contender[]) => contenders.filter(({ election }) => election.isLeader);

/** Pairs of reigns of different contenders that share a moment. */
function overlaps(contenders: readonly Contender[]): number {
  const nowMs = performance.now();
  const all = contenders.flatMap(({ reigns }, index) =>
    reigns.map(({ fromMs, toMs = nowMs }) => ({ index, fromMs, toMs })),
  );
  return all.flatMap((a) => all.filter((b) => a.index < b.index && a.fromMs < b.toMs && b.fromMs < a.toMs)).length;
}

test("one of three leads; who is cut off stops before another begins, whoever it is", { timeout: 90_000 }, async () => {
  const contenders = await Promise.all(["a", "b", "c"].map(contender));
  for (let round = 0; round < 3; round++) {
    const [leader] = await until("a leader", () =>
      leaders(contenders).length === 1 ? leaders(contenders) : undefined,
    );
    leader?.wire.cut();
    const startMs = performance.now();
    await until("its end", () => (leader?.election.isLeader === false ? true : undefined));
    await until("another", () => (leaders(contenders).some((one) => one !== leader) ? true : undefined));
    expect(performance.now() - startMs).toBeLessThan(11_000);
    leader?.wire.mend();
  }
  expect(overlaps(contenders)).toBe(0);
});

test("while nobody reaches the API server nobody leads, and one does soon afterwards", {
  timeout: 60_000,
}, async () => {
  const contenders = await Promise.all(["a", "b"].map(contender));
  await until("a leader", () => (leaders(contenders).length === 1 ? true : undefined));
  for (const { wire } of contenders) wire.cut();
  await until("no leader", () => (leaders(contenders).length === 0 ? true : undefined));
  for (const { wire } of contenders) wire.mend();
  await until("a leader", () => (leaders(contenders).length === 1 ? true : undefined));
  expect(overlaps(contenders)).toBe(0);
});

test("who stops in order gives the lease away at once", { timeout: 60_000 }, async () => {
  const first = await contender("a");
  await until("a leader", () => (first.election.isLeader ? true : undefined));
  const second = await contender("b");
  const startMs = performance.now();
  await first.election[Symbol.asyncDispose]();
  expect(first.election.isLeader).toBe(false);
  await until("the other", () => (second.election.isLeader ? true : undefined));
  expect(performance.now() - startMs).toBeLessThan(3_000);
  expect(overlaps([first, second])).toBe(0);
});

test("after a leader was killed another leads within 10 s", { timeout: 60_000 }, async () => {
  const modules = ["access", "client", "lease"].map((module) => join(import.meta.dirname, `${module}.ts`));
  const script = `
    const [{ readAccess }, { KubernetesClient }, { LeaderElection }] = await Promise.all(
      ${JSON.stringify(modules)}.map((module) => import(module)));
    const logger = { info() {}, debug() {} };
    new LeaderElection({
      client: new KubernetesClient(await readAccess(${JSON.stringify(api.kubeconfig)}), { logger }),
      namespace: "default",
      name: ${JSON.stringify(name)},
      identity: "holder",
      monotonicMs: () => performance.now(),
      now: Date.now,
      logger,
      onChange: () => console.log("leads"),
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  open.defer(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const second = await contender("b");
  const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`;
  const version = async () =>
    /"resourceVersion":"([0-9]+)/.exec(JSON.stringify(await api.client.request("GET", path)))?.[1];
  const before = await version();
  // The worst moment: it has just renewed.
  await until("a renewal", async () => ((await version()) === before ? undefined : true));
  child.kill("SIGKILL");
  const startMs = performance.now();
  await until("the other", () => (second.election.isLeader ? true : undefined));
  expect(performance.now() - startMs).toBeLessThan(10_000);
});

test("a Lease that a person edits or deletes is taken again; one that a person gave to another is left to that one", async () => {
  const first = await contender("a");
  await until("a leader", () => (first.election.isLeader ? true : undefined));
  const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`;
  const holder = async () => JSON.stringify(await api.client.request("GET", path));
  const patch = (body: object) =>
    api.client.request("PATCH", path, { body, contentType: "application/merge-patch+json" });
  const { reigns } = first;
  const renewedAt = (lease: string) => /"renewTime":"([^"]+)/.exec(lease)?.[1];
  const edited = renewedAt(JSON.stringify(await patch({ metadata: { labels: { a: "b" } } })));
  await until("a renewal", async () => (renewedAt(await holder()) === edited ? undefined : true));
  expect([first.election.isLeader, reigns.length]).toEqual([true, 1]);
  await api.client.request("DELETE", path);
  await until("it again", async () => ((await holder()).includes('"holderIdentity":"a"') ? true : undefined));
  expect(reigns.length).toBe(1);
  await patch({ spec: { holderIdentity: "z", renewTime: "2026-01-01T00:00:00.000000Z" } });
  await until("its end", () => (first.election.isLeader ? undefined : true));
  await until("it again", () => (first.election.isLeader ? true : undefined));
  expect(reigns.length).toBe(2);
});

test("says who holds it, since when, and how often it changed hands", { timeout: 60_000 }, async () => {
  const first = await contender("a");
  await until("a leader", () => (first.election.isLeader ? true : undefined));
  await first.election[Symbol.asyncDispose]();
  const second = await contender("b");
  await until("the other", () => (second.election.isLeader ? true : undefined));
  const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`;
  expect(await api.client.request("GET", path)).toMatchObject({
    spec: { holderIdentity: "b", leaseDurationSeconds: 8, leaseTransitions: 1 },
  });
});
