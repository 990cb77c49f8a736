import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import type { LbEndpointSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint_components";
import type { ServicePort } from "../model/model.ts";
import { socketAddress } from "./listener-inbound.ts";
import { outboundName } from "./names.ts";
import { PLAIN_TEXT_ENDPOINT } from "./plain-text.ts";

/**
 * The ready endpoints of one Service port; sent even when there is none, or the cluster would wait for it. Those outside the
 * mesh only where they may be called in plain text.
 */
export function loadAssignment({ id, endpoints, virtual }: ServicePort): ClusterLoadAssignment {
  const lbEndpoints = endpoints
    .filter(({ nodeId }) => nodeId !== undefined || virtual?.plainEndpoints === true)
    .map(
      ({ nodeId, address, port }): MessageInitShape<typeof LbEndpointSchema> => ({
        hostIdentifier: { case: "endpoint", value: { address: socketAddress(address, port) } },
        ...(nodeId === undefined ? { metadata: PLAIN_TEXT_ENDPOINT } : {}),
      }),
    );
  return create(ClusterLoadAssignmentSchema, {
    clusterName: outboundName(id),
    endpoints: lbEndpoints.length === 0 ? [] : [{ lbEndpoints }],
  });
}
