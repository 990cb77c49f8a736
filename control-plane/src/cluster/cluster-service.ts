import type { SliceRecord } from "./read-endpoint-slice.ts";
import type { ServiceRecord } from "./read-service.ts";
import type { ClusterEndpoint, ClusterService, ClusterServicePort } from "./state.ts";

/**
 * A Service with the endpoints of all its slices. What did not change is taken from `before`, which may be returned itself.
 * An endpoint that moves from slice to slice stands in both for a moment: it is ready where either says so.
 */
export function clusterService(
  { ref, clusterIps, ports }: ServiceRecord,
  slices: Iterable<SliceRecord>,
  before: ClusterService | undefined,
): ClusterService {
  const endpoints = endpointsByPort(slices);
  const built = ports.map((port, index): ClusterServicePort => {
    const found = endpoints.get(port.name ?? "");
    const sorted = found === undefined ? [] : [...found.values()].sort(byAddress);
    const former = before?.ports[index];
    const isSame = former !== undefined && samePort(former, port) && sameList(former.endpoints, sorted, sameEndpoint);
    return isSame ? former : { ...port, endpoints: sorted };
  });
  const isSame =
    before !== undefined &&
    sameList(before.clusterIps, clusterIps, Object.is) &&
    sameList(before.ports, built, Object.is);
  return isSame ? before : { ref, clusterIps, ports: built };
}

function endpointsByPort(slices: Iterable<SliceRecord>): ReadonlyMap<string, ReadonlyMap<string, ClusterEndpoint>> {
  const byPort = new Map<string, Map<string, ClusterEndpoint>>();
  for (const slice of slices)
    for (const { name, port } of slice.ports) {
      const found = byPort.get(name) ?? new Map<string, ClusterEndpoint>();
      byPort.set(name, found);
      for (const { address, ready, pod } of slice.endpoints) {
        const key = `${address} ${port}`;
        const other = found.get(key);
        if (other === undefined) found.set(key, { address, port, ready, pod });
        // The same whichever slice comes first.
        else found.set(key, { address, port, ready: ready || other.ready, pod: firstText(pod, other.pod) });
      }
    }
  return byPort;
}

function firstText(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

function byAddress(a: ClusterEndpoint, b: ClusterEndpoint): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port;
}

function samePort(a: ClusterServicePort, b: Omit<ClusterServicePort, "endpoints">): boolean {
  return a.port === b.port && a.name === b.name && a.protocol === b.protocol;
}

function sameEndpoint(a: ClusterEndpoint, b: ClusterEndpoint): boolean {
  return a.address === b.address && a.port === b.port && a.ready === b.ready && a.pod === b.pod;
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return (
    a.length === b.length &&
    a.every((entry, index) => {
      const other = b[index];
      return other !== undefined && same(entry, other);
    })
  );
}
