import type { ClusterFacts } from "./facts.ts";
import { fieldAt, listAt, numberAt, textAt } from "./fields.ts";
import { type Finding, reporterOf } from "./finding.ts";

const look = "kubectl get pods -n hedgerow-system; kubectl logs -n hedgerow-system deployment/control-plane";

/** Replicas, whether their Service leads to them, their leader, and the settings that they wait for. */
export function judgeControlPlane(facts: ClusterFacts): readonly Finding[] {
  return [...judgeReplicas(facts), ...judgeEndpoints(facts), ...judgeLeader(facts), ...judgeSettings(facts)];
}

function judgeReplicas({ deployment }: ClusterFacts): readonly Finding[] {
  const { good, bad, doubtful, unseen } = reporterOf("control-plane");
  if (!deployment.ok) return [unseen("the control plane", deployment.why)];
  if (deployment.value === undefined)
    return [bad("there is no Deployment hedgerow-system/control-plane", "kubectl apply -k manifests/base")];
  const wanted = numberAt(deployment.value, "spec", "replicas") ?? 1;
  const ready = numberAt(deployment.value, "status", "readyReplicas") ?? 0;
  const updated = numberAt(deployment.value, "status", "updatedReplicas") ?? 0;
  if (ready === 0) return [bad(`no replica of the control plane is ready, of ${wanted}`, look)];
  if (ready < wanted) return [doubtful(`${ready} of ${wanted} replicas of the control plane are ready`, look)];
  if (updated < wanted)
    return [doubtful(`${updated} of ${wanted} replicas of the control plane are of the newest build`, look)];
  return wanted === 1
    ? [doubtful("the control plane has one replica", "two let it be rolled, and a node be drained, without a gap")]
    : [good(`${ready} replicas of the control plane are ready`)];
}

function judgeEndpoints({ endpointSlices, deployment }: ClusterFacts): readonly Finding[] {
  const { bad, unseen } = reporterOf("control-plane");
  if (!endpointSlices.ok) return [unseen("the endpoints of the control plane", endpointSlices.why)];
  const isReady = endpointSlices.value
    .flatMap((slice) => listAt(slice, "endpoints"))
    .some((endpoint) => fieldAt(endpoint, "conditions", "ready") !== false);
  // Without a replica that is ready this has been said.
  const hasReplicas = deployment.ok && (numberAt(deployment.value, "status", "readyReplicas") ?? 0) > 0;
  return isReady || !hasReplicas
    ? []
    : [
        bad(
          "Service hedgerow-system/control-plane leads to nobody",
          "its selector must be the labels of the control plane's pods",
        ),
      ];
}

function judgeLeader({ lease, leaseMoved, deployment }: ClusterFacts): readonly Finding[] {
  const { good, bad, unseen } = reporterOf("leader");
  // Where nothing runs nothing leads.
  if (deployment.ok && (numberAt(deployment.value, "status", "readyReplicas") ?? 0) === 0) return [];
  if (!lease.ok) return [unseen("the leader", lease.why)];
  const holder = textAt(lease.value, "spec", "holderIdentity") ?? "";
  if (holder === "") return [bad("no replica leads: nobody writes statuses", look)];
  return leaseMoved === false
    ? [bad(`${holder} leads, and has not renewed its lease: nobody writes statuses`, look)]
    : [good(`${holder} leads`)];
}

function judgeSettings({ meshConfigs }: ClusterFacts): readonly Finding[] {
  const { good, bad, doubtful, unseen } = reporterOf("mesh-config");
  // That the kind is not installed has been said.
  if (!meshConfigs.ok) return /resource type/.test(meshConfigs.why) ? [] : [unseen("the MeshConfig", meshConfigs.why)];
  const [first, ...others] = meshConfigs.value.toSorted((a, b) => createdMs(a) - createdMs(b));
  if (first === undefined)
    return [
      bad("there is no MeshConfig, so no trust domain: the control plane waits for one", "docs/kubernetes.md, Install"),
    ];
  const namespace = textAt(first, "metadata", "namespace") ?? "";
  if (others.length > 0)
    return [
      doubtful(
        `${others.length + 1} MeshConfigs: the oldest, of namespace ${namespace}, is in force`,
        "delete the others",
      ),
    ];
  return [good(`trust domain ${textAt(first, "spec", "trustDomain") ?? ""}`)];
}

function createdMs(object: unknown): number {
  return Date.parse(textAt(object, "metadata", "creationTimestamp") ?? "") || 0;
}
