// 5,000 pods and 1,000 Services on a real API server.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApiServer, type TestApiServer } from "../../../../scripts/testing/api-server.js";
import { namespaceOf, populate, sliceOf } from "../../../test/populated-cluster.ts";
import { readEndpointSlice } from "../../cluster/read-endpoint-slice.ts";
import { readPod } from "../../cluster/read-pod.ts";
import { readService } from "../../cluster/read-service.ts";
import { endpointSliceShape, podShape, serviceShape } from "../../cluster/shapes.ts";
import { readAccess } from "../../kubernetes/access.ts";
import { KubernetesClient } from "../../kubernetes/client.ts";
import { ListWatch } from "../../kubernetes/list-watch.ts";
import type { Shape } from "../../kubernetes/protobuf.ts";
import { openKubernetesSource } from "./kubernetes-source.ts";

const services = 1000;
const logger = pino({ enabled: false });
let api: TestApiServer;
let client: KubernetesClient;

beforeAll(async () => {
  api = await startApiServer();
  // It would delete pods of nodes that are not there.
  await api.component("controllerManager", "kill");
  client = new KubernetesClient(await readAccess(api.kubeconfig), { logger });
  await populate(client, services);
}, 900_000);
afterAll(async () => {
  client[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
}, 60_000);

/** Everything of a resource, as it is read. */
async function listed(
  path: string,
  project: (raw: unknown) => unknown,
  shape?: Shape,
): Promise<ReadonlyMap<string, unknown>> {
  const found = new Map<string, unknown>();
  const { promise, resolve } = Promise.withResolvers<void>();
  await using _ = new ListWatch<unknown>({
    client,
    logger,
    path,
    ...(shape === undefined ? {} : { shape }),
    project: ({ raw }) => project(raw),
    onEvent: (event) => {
      if (event.kind === "put") found.set(event.key, event.value);
      if (event.kind === "synced") resolve();
    },
  });
  await promise;
  return found;
}

test.each([
  ["/api/v1/pods", readPod, podShape, 5 * services],
  ["/api/v1/services", readService, serviceShape, services],
  ["/apis/discovery.k8s.io/v1/endpointslices", readEndpointSlice, endpointSliceShape, services],
])("%s reads the same in protobuf and in JSON", async (path, project, shape, atLeast) => {
  const inProtobuf = await listed(path, project, shape);
  expect(inProtobuf.size).toBeGreaterThanOrEqual(atLeast);
  expect(inProtobuf).toEqual(await listed(path, project));
});

test("the first view is cheap", async () => {
  const script = fileURLToPath(import.meta.resolve("../../../test/source-cost.ts"));
  const { stdout } = await promisify(execFile)(process.execPath, [script, api.kubeconfig]);
  const cost = JSON.parse(stdout) as { readonly cpuSeconds: number; readonly rssMbAboveIdle: number };
  console.log("first view:", stdout.trim());
  expect(cost).toMatchObject({ pods: 5 * services, services: services + 1, objects: services + 1 });
  // Half of it on an idle machine; three times as much in JSON alone.
  expect(cost.cpuSeconds).toBeLessThan(1.5);
  expect(cost.rssMbAboveIdle).toBeLessThan(150);
});

test("a changed endpoint is there in milliseconds, and nothing else is new", async () => {
  let changedMs = 0;
  let woken = Promise.withResolvers<void>();
  await using source = await openKubernetesSource({
    client,
    logger,
    onChange: () => {
      changedMs = performance.now();
      woken.resolve();
    },
  });
  const delaysMs: number[] = [];
  for (let round = 1; round <= 50; round++) {
    const before = source.view();
    woken = Promise.withResolvers();
    const path = `/apis/discovery.k8s.io/v1/namespaces/${namespaceOf(round)}/endpointslices/svc-${round}-abcde`;
    const startedMs = performance.now();
    await client.apply(path, sliceOf(round, false), { timeoutMs: 60_000 });
    await woken.promise;
    delaysMs.push(changedMs - startedMs);
    const after = source.view();
    expect([after.objects === before.objects, after.generations === before.generations]).toEqual([true, true]);
    expect(after.cluster?.pods === before.cluster?.pods).toBe(true);
    const changed = [...(after.cluster?.services ?? [])].filter(
      ([key, service]) => before.cluster?.services.get(key) !== service,
    );
    expect(changed.map(([key]) => key)).toEqual([`Service/${namespaceOf(round)}/svc-${round}`]);
  }
  delaysMs.sort((a, b) => a - b);
  console.log("apply of a slice to view, ms: median", delaysMs[25]?.toFixed(1), "worst", delaysMs[49]?.toFixed(1));
  expect(delaysMs[25]).toBeLessThan(100);
});
