import type { ObjectKey } from "@hedgerow/manifest";
import { describe, expect, test } from "vitest";
import { parse, TRUST_DOMAIN } from "../../test/mesh.ts";
import type { ProxyState } from "../ads/proxy-state.ts";
import type { MeshPod } from "../cluster/state.ts";
import type { ProxyInit } from "./describe-proxies.ts";
import type { Programmed } from "./programmed.ts";
import { countedProxies, describeReplica, mergeProxies, type ReplicaReport, withReports } from "./replicas.ts";

const KEY: ObjectKey = "AccessPolicy/models/digits";

function report(replica: string, changes: Partial<ReplicaReport> = {}): ReplicaReport {
  return { replica, connected: new Set(), objects: new Map(), proxies: [], ...changes };
}
const counts = (
  proxiesTotal: number,
  laggards: readonly string[] = [],
  observedGeneration = 3n,
  lagging = laggards.length,
): ReplicaReport["objects"] =>
  new Map([
    [
      KEY,
      {
        observedGeneration,
        proxiesTotal,
        proxiesProgrammed: proxiesTotal - lagging,
        laggards: laggards.map((nodeId) => ({ nodeId, reason: "Pending", message: "waits" })),
      },
    ],
  ]);
const here: Programmed = {
  total: 2,
  lagging: 1,
  lags: [{ nodeId: "models/m", reason: "Rejected", message: "no", refused: undefined }],
};
const summary = ({ total, lagging, lags }: Programmed) => [total, lagging, lags.map(({ nodeId }) => nodeId)];

describe("counts of all replicas", () => {
  test("empty", () => {
    expect(summary(withReports(undefined, KEY, 3n, []))).toEqual([0, 0, []]);
  });
  test("are added, laggards in the order of their names", () => {
    const reports = [
      report("a", { objects: counts(3, ["models/z"]) }),
      report("b", { objects: counts(4, ["models/a"]) }),
    ];
    expect(summary(withReports(here, KEY, 3n, reports))).toEqual([9, 3, ["models/a", "models/m", "models/z"]]);
  });
  test("more laggards than are named count all the same", () => {
    expect(summary(withReports(here, KEY, 3n, [report("a", { objects: counts(300, ["models/z"], 3n, 200) })]))).toEqual(
      [302, 201, ["models/m", "models/z"]],
    );
  });
  test("of a replica at another generation all are pending", () => {
    expect(summary(withReports(here, KEY, 4n, [report("a", { objects: counts(3) })]))).toEqual([
      5,
      4,
      ["a", "models/m"],
    ]);
  });
  test("of a replica that has not seen the object all may need it; of a Service it may not list it", () => {
    const reports = [report("a", { connected: new Set(["models/x", "models/y"]) }), report("b")];
    expect(summary(withReports(here, KEY, 3n, reports))).toEqual([4, 3, ["a", "models/m"]]);
    expect(summary(withReports(here, "Service/models/digits", 3n, reports))).toEqual([2, 1, ["models/m"]]);
  });
  test("of a replica at another generation that no proxy needs all may need this one; one without proxies says nothing", () => {
    const connected = new Set(["models/x"]);
    const reports = [report("a", { connected, objects: counts(0) }), report("b", { objects: counts(0) })];
    expect(summary(withReports(here, KEY, 4n, reports))).toEqual([3, 2, ["a", "models/m"]]);
    expect(summary(withReports(here, KEY, 3n, reports))).toEqual([2, 1, ["models/m"]]);
  });
  test("a reason that is not ours counts without its name", () => {
    const odd = new Map(
      [...counts(1, ["models/z"])].map(([key, object]) => [
        key,
        { ...object, laggards: object.laggards.map((lag) => ({ ...lag, reason: "New" })) },
      ]),
    );
    expect(summary(withReports(here, KEY, 3n, [report("a", { objects: odd })]))).toEqual([3, 2, ["models/m"]]);
  });
});

describe("which proxies count", () => {
  const state = (nodeId: string, connected: boolean) => ({ nodeId, connected }) as ProxyState;
  const pod = (terminating: boolean) => ({ terminating }) as MeshPod;
  const count = (changes: Partial<Parameters<typeof countedProxies>[0]>) => {
    const { proxies, expected } = countedProxies({
      states: [],
      nodes: [],
      cluster: undefined,
      reports: [],
      lost: [],
      ...changes,
    });
    return [proxies.map(({ nodeId }) => nodeId), expected];
  };
  test("every Workload, connected or not", () => {
    expect(count({ states: [state("a/1", true)], nodes: ["a/1", "a/2"] })).toEqual([["a/1"], ["a/1", "a/2"]]);
  });
  test("a pod that was connected and is no longer, unless it is ending or elsewhere; none that is still starting", () => {
    const pods = new Map([
      ["a/1", pod(false)],
      ["a/2", pod(true)],
      ["a/3", pod(false)],
      ["a/4", pod(false)],
    ]);
    const states = [state("a/1", false), state("a/2", false), state("a/3", false)];
    const reports = [report("b", { connected: new Set(["a/3"]) })];
    expect(count({ states, nodes: pods.keys(), cluster: { pods }, reports })).toEqual([["a/1"], []]);
  });
  test("what another replica lost, unless it is somewhere again", () => {
    const pods = new Map([
      ["a/1", pod(false)],
      ["a/2", pod(false)],
    ]);
    const reports = [report("b", { connected: new Set(["a/2"]) })];
    expect(count({ nodes: pods.keys(), cluster: { pods }, reports, lost: ["a/1", "a/2"] })).toEqual([[], ["a/1"]]);
  });
  test("a Workload that is connected elsewhere counts there", () => {
    const reports = [report("b", { connected: new Set(["a/1"]) })];
    expect(count({ nodes: ["a/1"], cluster: { pods: new Map() }, reports })).toEqual([[], []]);
  });
});

test("a proxy is listed once: where it is connected, or was last", () => {
  const proxy = (nodeId: string, connected: boolean, seconds: bigint, agentVersion: string): ProxyInit => ({
    nodeId,
    connected,
    connectedAt: { seconds },
    agentVersion,
  });
  const reports = [
    report("b", {
      proxies: [
        proxy("a/1", true, 5n, "there"),
        proxy("a/2", false, 9n, "there"),
        proxy("a/0", true, 1n, "there"),
      ] as unknown as ReplicaReport["proxies"],
    }),
  ];
  const merged = mergeProxies([proxy("a/1", false, 8n, "here"), proxy("a/2", false, 3n, "here")], reports);
  expect(merged.map(({ nodeId, agentVersion }) => [nodeId, agentVersion])).toEqual([
    ["a/0", "there"],
    ["a/1", "there"],
    ["a/2", "there"],
  ]);
});

test("a replica tells of an object that none of its proxies needs: it has seen it", () => {
  const objects = parse(`
apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: hedgerow-system }
spec: { trustDomain: ${TRUST_DOMAIN} }
`);
  const generations = new Map([["MeshConfig/hedgerow-system/mesh", 7]] as const);
  expect(describeReplica({ objects, generations }, new Map(), [])).toMatchObject([
    { name: "mesh", observedGeneration: 7n, proxiesTotal: 0, proxiesProgrammed: 0 },
  ]);
});
