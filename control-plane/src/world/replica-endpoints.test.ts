import { objectKey } from "@hedgerow/manifest";
import { expect, test } from "vitest";
import type { ClusterEndpoint, ClusterService, ClusterState } from "../cluster/state.ts";
import { otherReplicas } from "./replica-endpoints.ts";

const endpoint = (pod: string | undefined, address: string): ClusterEndpoint => ({
  address,
  port: 7,
  ready: true,
  pod,
});

function cluster(namespace: string, port: number, endpoints: readonly ClusterEndpoint[]): ClusterState {
  const service: ClusterService = {
    ref: { kind: "Service", namespace, name: "control-plane" },
    clusterIps: [],
    ports: [
      { port: 443, name: "webhook", protocol: "tcp", endpoints: [endpoint(`${namespace}/x`, "10.9.9.9")] },
      { port, name: "mesh", protocol: "tcp", endpoints },
    ],
  };
  return {
    pods: new Map(),
    namespaces: new Map(),
    services: new Map([[objectKey(service.ref), service]]),
  };
}
const others = (state: ClusterState | undefined) => otherReplicas(state, "system/cp-0").map(({ address }) => address);

test("empty: nothing is known of the cluster, or of the Service", () => {
  expect(others(undefined)).toEqual([]);
  expect(others(cluster("elsewhere", 15012, [endpoint("elsewhere/cp-1", "10.0.0.1")]))).toEqual([]);
  expect(others(cluster("system", 15010, [endpoint("system/cp-1", "10.0.0.1")]))).toEqual([]);
});

test("every pod behind the mesh port but itself; what is no pod is nobody", () => {
  const endpoints = [
    endpoint("system/cp-0", "10.0.0.1"),
    endpoint("system/cp-1", "10.0.0.2"),
    endpoint(undefined, "10.0.0.3"),
  ];
  expect(others(cluster("system", 15012, endpoints))).toEqual(["10.0.0.2"]);
});
