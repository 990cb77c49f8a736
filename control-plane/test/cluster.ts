// A cluster by hand, for tests: what is left out has the value that means least.
import { type ObjectKey, objectKey } from "@hedgerow/manifest";
import type {
  ClusterEndpoint,
  ClusterService,
  ClusterServicePort,
  ClusterState,
  MeshPod,
  MtlsMode,
} from "../src/cluster/state.ts";

/** A pod with a sidecar; `id` is NAMESPACE/NAME, and its service account has its name. */
export function pod(id: string, address: string | undefined, rest: Partial<MeshPod> = {}): MeshPod {
  const [namespace = "", name = ""] = id.split("/");
  return {
    nodeId: id,
    namespace,
    name,
    uid: id,
    serviceAccount: name,
    labels: {},
    address,
    nodeName: undefined,
    region: undefined,
    ports: [],
    captured: { only: undefined, except: [] },
    drainMs: 5000,
    terminating: false,
    ...rest,
  };
}

export function endpoint(of: MeshPod | string, port: number, ready = true): ClusterEndpoint {
  if (typeof of === "string") return { address: of, port, ready, pod: undefined };
  return { address: of.address ?? "", port, ready, pod: of.nodeId };
}

export function service(
  id: string,
  ports: Readonly<Record<number, readonly ClusterEndpoint[]>>,
  rest: Partial<ClusterService> & Partial<Pick<ClusterServicePort, "protocol">> = {},
): ClusterService {
  const [namespace = "", name = ""] = id.split("/");
  const { protocol = "auto", ...given } = rest;
  return {
    ref: { kind: "Service", namespace, name },
    clusterIps: ["10.96.0.1"],
    ports: Object.entries(ports).map(([port, endpoints]) => ({
      port: Number(port),
      name: undefined,
      protocol,
      endpoints,
    })),
    ...given,
  };
}

export function cluster(
  pods: readonly MeshPod[],
  services: readonly ClusterService[] = [],
  namespaces: Readonly<Record<string, MtlsMode>> = {},
): ClusterState {
  return {
    pods: new Map(pods.map((each) => [each.nodeId, each])),
    services: new Map(services.map((each): [ObjectKey, ClusterService] => [objectKey(each.ref), each])),
    namespaces: new Map(Object.entries(namespaces).map(([name, mtls]) => [name, { name, mtls }])),
  };
}
