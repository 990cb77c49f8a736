import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { installKinds, startApiServer, type TestApiServer, wireTo } from "../../test/api-server.ts";
import { until } from "../../test/until.ts";
import type { ObjectStatusInit } from "../status/describe-status.ts";
import { KubernetesClient } from "./client.ts";
import { StatusWriter, type StatusWriterDeps } from "./status-writer.ts";

let api: TestApiServer;
let open: AsyncDisposableStack;
let namespace: string;
let number = 0;
beforeAll(async () => {
  api = await startApiServer();
  await installKinds(api);
}, 180_000);
afterAll(() => api[Symbol.asyncDispose](), 60_000);
beforeEach(async () => {
  namespace = `ns-${number++}`;
  await api.kubectl(["create", "namespace", namespace]);
  open = new AsyncDisposableStack();
  return () => open.disposeAsync();
});

const logger = pino({ enabled: false });

function writer(changes: Partial<StatusWriterDeps> = {}) {
  const counts = { written: 0, failed: 0 };
  const statuses = open.use(
    new StatusWriter({
      client: api.client,
      isLeader: () => true,
      monotonicMs: () => performance.now(),
      counted: (outcome) => {
        counts[outcome] += 1;
      },
      logger,
      ...changes,
    }),
  );
  return { statuses, counts };
}

const apply = (...objects: readonly object[]) =>
  api.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
const policy = (name: string, allow: readonly object[] = []) => ({
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "AccessPolicy",
  metadata: { name, namespace },
  spec: { targetRefs: [{ kind: "Service", name: "digits" }], allow },
});
const route = (name: string, parentRefs: readonly object[]) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name, namespace },
  spec: { parentRefs, rules: [{ backendRefs: [{ name: "digits", port: 80 }] }] },
});

function described(
  kind: string,
  name: string,
  changes: Partial<ObjectStatusInit> = {},
  atMs = 1_000,
): ObjectStatusInit {
  const condition = (type: string, status: string, message = "") => ({
    type,
    status,
    reason: type,
    message,
    lastTransitionTime: timestampFromMs(atMs),
  });
  return {
    kind,
    namespace,
    name,
    observedGeneration: 1n,
    conditions: [
      condition("Accepted", "True"),
      condition("ResolvedRefs", "True"),
      condition("Conflicted", "False"),
      condition("Programmed", "True", "12 of 12 proxies"),
    ],
    proxiesTotal: 12,
    proxiesProgrammed: 12,
    ...changes,
  } as ObjectStatusInit;
}
interface Live {
  readonly metadata: { readonly resourceVersion: string };
  readonly status?: Readonly<Record<string, unknown>>;
}
const read = async (plural: string, name: string): Promise<Live> => {
  const group = plural === "httproutes" ? "gateway.networking.k8s.io/v1" : "hedgerow.dev/v1alpha1";
  return (await api.client.request("GET", `/apis/${group}/namespaces/${namespace}/${plural}/${name}`)) as Live;
};
const statusOf = async (plural: string, name: string) => (await read(plural, name)).status;
const written = (plural: string, name: string) => until("a status", () => statusOf(plural, name));

describe("the status of our kinds", () => {
  test("says what kubectl shows", async () => {
    await apply(policy("a"));
    const { statuses } = writer();
    statuses.offer([described("AccessPolicy", "a"), described("Service", "digits")]);
    expect(await written("accesspolicies", "a")).toMatchObject({
      observedGeneration: 1,
      effective: "yes",
      proxies: { total: 12, programmed: 12, summary: "12/12" },
      laggards: [],
    });
    const shown = await api.kubectl(["-n", namespace, "get", "accesspolicy", "a"]);
    expect(shown).toMatch(/yes +12\/12/);
  });

  test("is not written again while nothing changes, and keeps its times while a condition stays", async () => {
    await apply(policy("a"));
    const { statuses, counts } = writer();
    statuses.offer([described("AccessPolicy", "a")]);
    await written("accesspolicies", "a");
    const { metadata } = await read("accesspolicies", "a");
    for (let look = 0; look < 5; look++) statuses.offer([described("AccessPolicy", "a", {}, 9_000)]);
    const changed = { proxiesProgrammed: 11 };
    statuses.offer([described("AccessPolicy", "a", changed, 9_000)]);
    await until("the change", async () => (counts.written === 2 ? true : undefined));
    const after = await read("accesspolicies", "a");
    expect(after.metadata.resourceVersion).not.toBe(metadata.resourceVersion);
    expect(after.status).toMatchObject({
      effective: "partly",
      proxies: { summary: "11/12" },
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: "Programmed", lastTransitionTime: "1970-01-01T00:00:01Z" }),
      ]),
    });
  });

  test("has at most ten laggards, and messages that the API server takes", async () => {
    await apply(policy("a"));
    const { statuses, counts } = writer();
    const laggards = Array.from({ length: 100 }, (_, index) => ({
      nodeId: `models/p-${index}`,
      reason: "Rejected",
      message: "é".repeat(2_000),
    }));
    const conditions = [
      {
        type: "Programmed",
        status: "False",
        reason: "Rejected",
        message: "é".repeat(40_000),
        lastTransitionTime: timestampFromMs(0),
      },
    ];
    statuses.offer([described("AccessPolicy", "a", { laggards, conditions })]);
    const status = await written("accesspolicies", "a");
    expect(status["laggards"]).toHaveLength(10);
    expect(counts).toEqual({ written: 1, failed: 0 });
  });
});

describe("the status of a route", () => {
  const other = {
    parentRef: { group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge" },
    controllerName: "example.com/edge",
    conditions: [
      { type: "Accepted", status: "True", reason: "Accepted", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" },
    ],
  };
  const putOther = (name: string) =>
    api.client.request(
      "PATCH",
      `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes/${name}/status`,
      { body: { status: { parents: [other] } }, contentType: "application/merge-patch+json" },
    );

  test("has an entry for each Service among the parents, beside those of other controllers", async () => {
    await apply(route("r", [{ name: "edge" }, { group: "", kind: "Service", name: "digits", port: 80 }]));
    await putOther("r");
    const { statuses } = writer();
    statuses.offer([described("HTTPRoute", "r")]);
    const parents = await until("our entry", async () => {
      const all = (await statusOf("httproutes", "r"))?.["parents"];
      return Array.isArray(all) && all.length === 2 ? all : undefined;
    });
    expect(parents).toMatchObject([
      other,
      {
        controllerName: "hedgerow.dev/control-plane",
        parentRef: { kind: "Service", name: "digits", port: 80 },
        conditions: [
          { type: "Accepted", status: "True" },
          { type: "ResolvedRefs", status: "True" },
          { type: "hedgerow.dev/Programmed", status: "True", message: "12 of 12 proxies" },
        ],
      },
    ]);
    statuses.offer([described("HTTPRoute", "r", { observedGeneration: 2n })]);
    await until("the change", async () => {
      const all = (await statusOf("httproutes", "r"))?.["parents"];
      return JSON.stringify(all).includes('"observedGeneration":2') ? true : undefined;
    });
    expect((await statusOf("httproutes", "r"))?.["parents"]).toHaveLength(2);
  });
});

describe("the writer", () => {
  test("as a new leader writes only what differs", async () => {
    await apply(policy("a"), policy("b"));
    const first = writer();
    first.statuses.offer([described("AccessPolicy", "a"), described("AccessPolicy", "b")]);
    await written("accesspolicies", "b");
    await first.statuses[Symbol.asyncDispose]();
    const second = writer();
    second.statuses.offer([
      described("AccessPolicy", "a", {}, 50_000),
      described("AccessPolicy", "b", { proxiesProgrammed: 1 }, 50_000),
    ]);
    await until("the change", async () =>
      JSON.stringify(await statusOf("accesspolicies", "b")).includes('"1/12"') ? true : undefined,
    );
    expect(second.counts.written).toBe(1);
    expect(JSON.stringify(await statusOf("accesspolicies", "a"))).toContain("1970-01-01T00:00:01Z");
  });

  test("does nothing while another leads, and everything once it leads", async () => {
    await apply(policy("a"));
    let isLeader = false;
    const { statuses, counts } = writer({ isLeader: () => isLeader });
    statuses.offer([described("AccessPolicy", "a")]);
    await api.kubectl(["get", "namespaces"]);
    expect(counts.written).toBe(0);
    isLeader = true;
    statuses.leadershipChanged();
    await written("accesspolicies", "a");
  });

  test("goes on with the newest after the API server was away; nothing waits for it", { timeout: 60_000 }, async () => {
    await apply(policy("a"), policy("b"));
    await using wire = await wireTo(api.access);
    using through = new KubernetesClient(wire.access, { logger });
    const { statuses, counts } = writer({ client: through });
    statuses.offer([described("AccessPolicy", "a")]);
    await written("accesspolicies", "a");
    wire.cut();
    for (let look = 0; look < 50; look++)
      statuses.offer([
        described("AccessPolicy", "a", { proxiesTotal: 100 + look }),
        described("AccessPolicy", "b", { proxiesTotal: 100 + look }),
      ]);
    await until("a failure", () => (counts.failed > 0 ? true : undefined)).catch(() => {});
    wire.mend();
    for (const name of ["a", "b"])
      await until("the newest", async () =>
        JSON.stringify(await statusOf("accesspolicies", name)).includes('"12/149"') ? true : undefined,
      );
    expect(counts.written).toBe(3);
  });

  test("a hundred objects at once take their time, and all come", { timeout: 60_000 }, async () => {
    const names = Array.from({ length: 60 }, (_, index) => `p-${index}`);
    await apply(...names.map((name) => policy(name)));
    const { statuses, counts } = writer();
    const startMs = performance.now();
    statuses.offer([described("AccessPolicy", "gone"), ...names.map((name) => described("AccessPolicy", name))]);
    await until("all", () => (counts.written === 60 ? true : undefined));
    expect(performance.now() - startMs).toBeGreaterThan(1_900);
    expect(counts.failed).toBe(0);
  });
});
