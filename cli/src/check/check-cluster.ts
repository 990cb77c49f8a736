import { judgeCertificates } from "./certificates.ts";
import { judgeClocks } from "./clocks.ts";
import { judgeControlPlane } from "./control-plane.ts";
import { judgeDefinitions } from "./definitions.ts";
import type { ClusterFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { judgeInjected, judgeLabels } from "./injection.ts";
import { judgePermissive } from "./permissive.ts";
import { judgeVersions } from "./versions.ts";
import { judgeWebhooks } from "./webhooks.ts";

/** Everything that is to be said of a cluster, what others rest on first. */
export function checkCluster(facts: ClusterFacts): readonly Finding[] {
  return [
    ...judgeVersions(facts),
    ...judgeDefinitions(facts),
    ...judgeControlPlane(facts),
    ...judgeWebhooks(facts),
    ...judgeCertificates(facts),
    ...judgeClocks(facts),
    ...judgeLabels(facts),
    ...judgeInjected(facts),
    ...judgePermissive(facts),
  ];
}
