// Clusters at random, in the namespaces and with the names of arbitrary-mesh.ts, edit by edit.
import type { ObjectKey, SourceObject } from "@hedgerow/manifest";
import { objectKey, objectRef } from "@hedgerow/manifest";
import fc from "fast-check";
import type { ClusterEndpoint, ClusterService, ClusterState, MeshNamespace, MeshPod } from "../src/cluster/state.ts";
import { anyObject } from "./arbitrary-mesh.ts";

const namespace = fc.constantFrom("n1", "n2");
const podName = fc.constantFrom("p1", "p2", "p3");
const port = fc.constantFrom(80, 90, 9090);

const pod: fc.Arbitrary<MeshPod> = fc
  .record({
    namespace,
    name: podName,
    serviceAccount: fc.constantFrom("s1", "s2"),
    app: fc.constantFrom("x", "y"),
    address: fc.option(fc.constantFrom("10.1.0.1", "10.1.0.2"), { nil: undefined, freq: 5 }),
    ports: fc.uniqueArray(fc.record({ name: fc.constantFrom(undefined, "http-web", "tcp-db"), port }), {
      maxLength: 2,
      selector: (entry) => entry.port,
    }),
    captured: fc.constantFrom(
      { only: undefined, except: [] },
      { only: [80], except: [] },
      { only: undefined, except: [90] },
    ),
    drainMs: fc.constantFrom(5000, 9000),
  })
  .map(({ app, ...rest }) => ({
    ...rest,
    nodeId: `${rest.namespace}/${rest.name}`,
    uid: "u",
    labels: { app, version: "v1" },
    nodeName: undefined,
    region: undefined,
    terminating: false,
  }));

const endpoint: fc.Arbitrary<ClusterEndpoint> = fc.record({
  address: fc.constantFrom("10.1.0.1", "10.1.0.2", "10.1.0.3"),
  port,
  ready: fc.boolean(),
  // Of another namespace, too: anybody can write that down.
  pod: fc.option(
    fc.tuple(namespace, podName).map((parts) => parts.join("/")),
    { nil: undefined, freq: 5 },
  ),
});

const service: fc.Arbitrary<ClusterService> = fc
  .record({
    namespace,
    name: fc.constantFrom("a", "b", "c", "d"),
    clusterIps: fc.constantFrom([], ["10.96.0.1"]),
    ports: fc.uniqueArray(
      fc.record({
        port: fc.constantFrom(80, 81),
        protocol: fc.constantFrom("http" as const, "tcp" as const, "auto" as const),
        endpoints: fc.array(endpoint, { maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 2, selector: (entry) => entry.port },
    ),
  })
  .map(({ namespace: of, name, clusterIps, ports }) => ({
    ref: { kind: "Service" as const, namespace: of, name },
    clusterIps,
    ports: ports.map((entry) => ({ ...entry, name: undefined })),
  }));

const mtls: fc.Arbitrary<MeshNamespace> = fc.record({
  name: namespace,
  mtls: fc.constantFrom("strict", "permissive", undefined),
});

/** What is in force at one moment. */
export interface World {
  readonly objects: readonly SourceObject[];
  readonly cluster: ClusterState;
  readonly ready: ReadonlySet<string>;
  readonly generations: ReadonlyMap<ObjectKey, number>;
}

export const emptyWorld: World = {
  objects: [],
  cluster: { pods: new Map(), services: new Map(), namespaces: new Map() },
  ready: new Set(),
  generations: new Map(),
};

export type Edit = (world: World) => World;

const inCluster = (edit: (cluster: ClusterState) => Partial<ClusterState>): Edit => {
  return (world) => ({ ...world, cluster: { ...world.cluster, ...edit(world.cluster) } });
};

/** One thing that comes, changes or goes; all else stays the very same object. */
export const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 6,
    arbitrary: anyObject.map((object): Edit => {
      const key = keyOf(object);
      return (world) => ({
        ...world,
        objects: [...world.objects.filter((other) => keyOf(other) !== key), object],
        generations: new Map(world.generations).set(key, (world.generations.get(key) ?? 0) + 1),
      });
    }),
  },
  {
    // Its content stays: at an API server a generation can count what we do not read.
    weight: 1,
    arbitrary: fc.nat(30).map(
      (index): Edit =>
        (world) => {
          const object = world.objects[index];
          if (object === undefined) return world;
          const generation = (world.generations.get(keyOf(object)) ?? 0) + 1;
          return { ...world, generations: new Map(world.generations).set(keyOf(object), generation) };
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(30).map((index): Edit => {
      return (world) => ({ ...world, objects: world.objects.filter((_, at) => at !== index) });
    }),
  },
  {
    weight: 3,
    arbitrary: pod.map((each) => inCluster(({ pods }) => ({ pods: new Map(pods).set(each.nodeId, each) }))),
  },
  {
    weight: 5,
    arbitrary: service.map((each) =>
      inCluster(({ services }) => ({ services: new Map(services).set(objectKey(each.ref), each) })),
    ),
  },
  {
    weight: 1,
    arbitrary: mtls.map((each) =>
      inCluster(({ namespaces }) => ({ namespaces: new Map(namespaces).set(each.name, each) })),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(6).map((index) => inCluster(({ pods }) => ({ pods: without(pods, index) }))),
  },
  {
    weight: 1,
    arbitrary: fc.nat(8).map((index) => inCluster(({ services }) => ({ services: without(services, index) }))),
  },
  {
    weight: 1,
    arbitrary: fc.subarray(["n1/w1", "n1/w2", "n2/w1", "n2/w3"]).map(
      (ready): Edit =>
        (world) => ({ ...world, ready: new Set(ready) }),
    ),
  },
);

function without<K, V>(map: ReadonlyMap<K, V>, index: number): ReadonlyMap<K, V> {
  return new Map([...map].filter((_, at) => at !== index));
}

function keyOf({ manifest }: SourceObject): ObjectKey {
  return objectKey(objectRef(manifest));
}
