// What the first view of a cluster costs, in a process of its own: kubeconfig in, one line of JSON out.
import { pino } from "pino";
import { readAccess } from "../src/kubernetes/access.ts";
import { KubernetesClient } from "../src/kubernetes/client.ts";
import { openKubernetesSource } from "../src/source/kubernetes/kubernetes-source.ts";

const logger = pino({ enabled: false });
using client = new KubernetesClient(await readAccess(process.argv[2] ?? ""), { logger });
await client.request("GET", "/version");
const rssBefore = process.memoryUsage().rss;
const cpuBefore = process.cpuUsage();
const startedMs = performance.now();
await using source = await openKubernetesSource({ client, logger, onChange: () => {} });
const { user, system } = process.cpuUsage(cpuBefore);
const { cluster, objects } = source.view();
console.log(
  JSON.stringify({
    pods: cluster?.pods.size,
    services: cluster?.services.size,
    objects: objects.length,
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
    rssMbAboveIdle: (process.memoryUsage().rss - rssBefore) / 2 ** 20,
  }),
);
