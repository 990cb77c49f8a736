import type { ClusterFacts } from "./facts.ts";
import { numberAt } from "./fields.ts";
import { type Finding, reporterOf } from "./finding.ts";
import { rootsOf } from "./webhooks.ts";

const dayMs = 86_400_000;
const soonMs = 90 * dayMs;

/** How long the mesh's roots and the webhook's own certificate are good for. */
export function judgeCertificates(facts: ClusterFacts): readonly Finding[] {
  return [...judgeRoots(facts), ...judgeServing(facts)];
}

function judgeRoots(facts: ClusterFacts): readonly Finding[] {
  const { good, bad, doubtful } = reporterOf("certificate-authority");
  return rootsOf(facts).map(({ digest, notBeforeMs, notAfterMs }) => {
    const name = `trust root ${digest.slice(0, 12)}…`;
    const leftMs = notAfterMs - facts.nowMs;
    if (notBeforeMs > facts.nowMs) return bad(`${name} is not valid yet`, "compare the clocks");
    if (leftMs <= 0) return bad(`${name} has expired: nobody in the mesh trusts anybody`, "make a new authority");
    return leftMs < soonMs
      ? doubtful(`${name} ends in ${Math.floor(leftMs / dayMs)} days`, "plan a new authority")
      : good(`${name} is good for ${Math.floor(leftMs / dayMs)} days`);
  });
}

function judgeServing({ servingCertificate, nowMs, deployment }: ClusterFacts): readonly Finding[] {
  const { good, bad, unseen } = reporterOf("webhook-certificate");
  // Where nothing runs nothing is presented.
  if (deployment.ok && (numberAt(deployment.value, "status", "readyReplicas") ?? 0) === 0) return [];
  const restart = "kubectl rollout restart -n hedgerow-system deployment/control-plane";
  if (!servingCertificate.ok) return [unseen("the webhook's certificate", servingCertificate.why)];
  const { notAfterMs, trustedBy } = servingCertificate.value;
  if (trustedBy === "nobody")
    return [bad("the webhook's certificate does not chain to the caBundle that the API server has", restart)];
  const leftMs = notAfterMs - nowMs;
  if (leftMs <= 0) return [bad("the webhook's certificate has expired", restart)];
  const left = leftMs < dayMs ? `${Math.floor(leftMs / 3_600_000)} hours` : `${Math.floor(leftMs / dayMs)} days`;
  return [good(`the webhook's certificate chains to the caBundle, and is good for ${left}; it renews itself`)];
}
