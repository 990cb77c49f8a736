// A replica's report on the wire and as a value.
import { type ObjectKey, type ObjectRef, objectKey } from "@hedgerow/manifest";
import type { WatchProxiesResponse } from "@hedgerow/proto/hedgerow/peer/v1/peer";
import type { ReplicaReport } from "../status/replicas.ts";

export function readReport({ replica, connected, objects, proxies }: WatchProxiesResponse): ReplicaReport {
  return {
    replica,
    connected: new Set(connected),
    objects: new Map(
      // A replica of a newer version may know kinds that this one does not; nobody asks for their keys.
      objects.map((object): [ObjectKey, (typeof objects)[number]] => [objectKey(object as ObjectRef), object]),
    ),
    proxies,
  };
}
