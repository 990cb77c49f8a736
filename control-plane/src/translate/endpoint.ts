import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import type { LbEndpointSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint_components";
import type { ServicePort } from "../model/model.ts";
import { socketAddress } from "./listener-inbound.ts";
import { outboundName } from "./names.ts";

/** The ready workloads of one Service port; sent even when there is none, or the cluster would wait for it. */
export function loadAssignment({ id, endpoints }: ServicePort): ClusterLoadAssignment {
  const lbEndpoints = endpoints.map(
    ({ address, port }): MessageInitShape<typeof LbEndpointSchema> => ({
      hostIdentifier: { case: "endpoint", value: { address: socketAddress(address, port) } },
    }),
  );
  return create(ClusterLoadAssignmentSchema, {
    clusterName: outboundName(id),
    endpoints: lbEndpoints.length === 0 ? [] : [{ lbEndpoints }],
  });
}
