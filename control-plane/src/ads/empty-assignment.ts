import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ENDPOINT_TYPE_URL } from "@hedgerow/proto";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import type { Resource } from "../snapshot/snapshot.ts";

const VERSION = "empty";

/**
 * A ClusterLoadAssignment without endpoints: the answer for a cluster that the snapshot has and whose assignment it has
 * not. A cluster stays in warming, and holds back the CDS ACK, until its assignment comes.
 */
export function emptyAssignment(name: string): Resource {
  const resource = anyPack(ClusterLoadAssignmentSchema, create(ClusterLoadAssignmentSchema, { clusterName: name }));
  return {
    typeUrl: ENDPOINT_TYPE_URL,
    name,
    version: VERSION,
    encoded: toBinary(ResourceSchema, create(ResourceSchema, { name, version: VERSION, resource })),
    origins: [],
  };
}
