// A process that leads, to be killed: node lease-holder.ts KUBECONFIG LEASE. Sends a message once it leads, and one 3 s later.
import { pino } from "pino";
import { readAccess } from "../src/kubernetes/access.ts";
import { KubernetesClient } from "../src/kubernetes/client.ts";
import { LeaderElection } from "../src/kubernetes/lease.ts";

const [, , kubeconfig = "", name = ""] = process.argv;
const logger = pino({ enabled: false });
const client = new KubernetesClient(await readAccess(kubeconfig), { logger });
const election = new LeaderElection({
  client,
  namespace: "default",
  name,
  identity: "holder",
  monotonicMs: () => performance.now(),
  now: Date.now,
  logger,
  onChange: (isLeader) => {
    process.send?.(isLeader);
    setTimeout(() => process.send?.(election.isLeader), 3_000);
  },
});
