import { objectRef, type SourceObject, type Workload } from "@hedgerow/manifest";
import type { NodeId } from "../snapshot/snapshot.ts";
import { compareText } from "./catalog.ts";
import type { Finding } from "./finding.ts";

/** A Workload with those of its inbound ports that can be bound. */
export interface AcceptedWorkload {
  readonly object: SourceObject<Workload>;
  readonly nodeId: NodeId;
  readonly inbound: readonly AcceptedInbound[];
}

export type AcceptedInbound = Workload["spec"]["inbound"][number] & {
  /** Index in spec.inbound. */
  readonly index: number;
};

/**
 * Drops inbound ports that another listener or application has: Envoy would refuse the whole listener update, or two
 * Envoys on one machine would share the port silently. `workloads` come in the order of age: the older keeps the port.
 */
export function acceptInbound(workloads: readonly SourceObject<Workload>[]): {
  readonly accepted: readonly AcceptedWorkload[];
  readonly findings: readonly Finding[];
} {
  const findings: Finding[] = [];
  const takenBy = new Map<string, NodeId>();
  const accepted = workloads.map((object): AcceptedWorkload => {
    const { metadata, spec } = object.manifest;
    const nodeId = `${metadata.namespace}/${metadata.name}`;
    const appPorts = isLoopback(spec.address) ? new Set(spec.inbound.map(({ appPort }) => appPort)) : new Set<number>();
    const inbound = spec.inbound.flatMap((entry, index): readonly AcceptedInbound[] => {
      const socket = `${spec.address} port ${entry.port}`;
      const holder = appPorts.has(entry.port) ? "an application" : takenBy.get(socket);
      if (holder === undefined) {
        takenBy.set(socket, nodeId);
        return [{ ...entry, index }];
      }
      findings.push({
        object: objectRef(object.manifest),
        path: ["spec", "inbound", index, "port"],
        condition: "Accepted",
        reason: "PortConflict",
        message: `${socket} is already taken by ${holder}, so this port is not opened`,
      });
      return [];
    });
    return { object, nodeId, inbound };
  });
  return { accepted: accepted.toSorted((a, b) => compareText(a.nodeId, b.nodeId)), findings };
}

/** The address at which outbound listeners and applications are. */
export function isLoopback(address: string): boolean {
  return address === "127.0.0.1" || address === "0.0.0.0";
}
