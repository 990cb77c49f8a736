import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ROUTE_TYPE_URL } from "@hedgerow/proto";
import { isProgrammed, objectStatus } from "./admin.ts";
import { routeFile } from "./manifests.ts";
import type { Mesh } from "./mesh.ts";
import { until } from "./until.ts";

/** Writes the weights and awaits every caller's ACK: ms from the write to the first and the last. */
export async function editWeights(
  mesh: Mesh,
  weights: readonly [number, number],
): Promise<{ readonly firstMs: number; readonly lastMs: number }> {
  const key = "HTTPRoute/models/digits";
  const before = await objectStatus(mesh.admin, key);
  const editedAt = Date.now();
  mesh.writeManifest("route.yaml", routeFile(weights));
  await until("the new weights on every proxy", 10_000, async () => {
    const status = await objectStatus(mesh.admin, key);
    return status !== undefined && status.observedGeneration !== before?.observedGeneration && isProgrammed(status);
  });
  const { proxies } = await mesh.admin.listProxies({});
  const acknowledged = proxies
    .filter(({ nodeId }) => mesh.callers.some(({ name }) => nodeId === `apps/${name}`))
    .flatMap(({ types }) => types.filter(({ typeUrl }) => typeUrl === ROUTE_TYPE_URL))
    .map(({ acknowledgedAt }) => (acknowledgedAt === undefined ? Number.NaN : timestampMs(acknowledgedAt) - editedAt));
  return { firstMs: Math.min(...acknowledged), lastMs: Math.max(...acknowledged) };
}
