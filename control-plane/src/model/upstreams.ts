import { type ObjectKey, objectRef, type Service, type SourceObject, type Workload } from "@hedgerow/manifest";
import type { Origin } from "../snapshot/snapshot.ts";
import { serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import type { Upstream } from "./model.ts";
import { portMessage, resolvePort, servicePortId } from "./service-ports.ts";

type Services = ReadonlyMap<ObjectKey, SourceObject<Service>>;

export interface ResolvedUpstreams {
  readonly upstreams: readonly Upstream[];
  readonly findings: readonly Finding[];
  /** The version whose references all resolve, to be remembered. */
  readonly resolved: SourceObject<Workload> | undefined;
}

/**
 * What a workload calls. While one reference does not resolve, the upstreams of the last version whose references do stay;
 * without such a version the others flow.
 */
export function resolveUpstreams(
  workload: SourceObject<Workload>,
  last: SourceObject<Workload> | undefined,
  services: Services,
): ResolvedUpstreams {
  const current = lookUp(workload, services);
  if (current.findings.length === 0) return { ...withoutRepeats(current.upstreams), resolved: workload };
  const previous = last === undefined ? undefined : lookUp(last, services);
  const held = previous !== undefined && previous.findings.length === 0;
  const upstreams = held ? previous.upstreams.map((upstream) => atList(upstream)) : current.upstreams;
  const consequence = held ? "the upstreams stay as they last resolved" : "the other upstreams flow";
  const { upstreams: kept, findings } = withoutRepeats(upstreams);
  return {
    upstreams: kept,
    findings: [
      ...current.findings.map((finding) => ({ ...finding, message: `${finding.message}; ${consequence}` })),
      ...findings,
    ],
    resolved: last,
  };
}

// An index of an earlier version says nothing about the file of today.
function atList(upstream: Upstream): Upstream {
  const origin: Origin = { object: upstream.origin.object, path: ["spec", "upstreams"] };
  return { ...upstream, origin };
}

function lookUp({ manifest }: SourceObject<Workload>, services: Services) {
  const findings: Finding[] = [];
  const upstreams: Upstream[] = [];
  for (const [index, entry] of manifest.spec.upstreams.entries()) {
    const object = objectRef(manifest);
    const [namespace = "", name = ""] = entry.service.split("/");
    const service = services.get(serviceKey(namespace, name));
    const resolution = service === undefined ? undefined : resolvePort(service.manifest, entry.port);
    if (resolution?.ok) {
      const path = ["spec", "upstreams", index];
      const id = servicePortId(namespace, name, resolution.port);
      upstreams.push({ service: id, localPort: entry.localPort, origin: { object, path } });
      continue;
    }
    const [field, reason, message] =
      resolution === undefined
        ? ["service", "BackendNotFound", `service ${entry.service} not found`]
        : ["port", resolution.reason, portMessage(resolution.reason, entry.service, entry.port)];
    findings.push({ object, path: ["spec", "upstreams", index, field], condition: "ResolvedRefs", reason, message });
  }
  return { upstreams, findings };
}

// A service port has one listener in a sidecar, named after it.
function withoutRepeats(upstreams: readonly Upstream[]) {
  const seen = new Set<string>();
  const findings: Finding[] = [];
  const kept = upstreams.filter(({ service, origin: { object, path } }) => {
    if (!seen.has(service)) {
      seen.add(service);
      return true;
    }
    const message = `${service} is already an upstream of this workload, so this one is not opened`;
    const reason = "DuplicateUpstream";
    findings.push({ object, path: [...path, "service"], condition: "Accepted", reason, message });
    return false;
  });
  return { upstreams: kept, findings };
}
