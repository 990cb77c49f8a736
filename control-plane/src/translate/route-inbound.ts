import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { type RouteConfiguration, RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import { RetryPolicySchema } from "@hedgerow/proto/envoy/config/route/v3/route_components";
import { RBACPerRouteSchema } from "@hedgerow/proto/envoy/extensions/filters/http/rbac/v3/rbac";
import type { InboundPort } from "../model/model.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { ms } from "./limits.ts";
import { inboundName, inboundRouteName } from "./names.ts";
import { ACCESS_METADATA, ACCESS_METADATA_POLICY, RBAC_FILTER, rbac } from "./rbac.ts";
import { UNSERVED_HEADER } from "./unserved.ts";

/**
 * An application that drains refuses the streams that it has not looked at (HTTP/2 REFUSED_STREAM, or after its GOAWAY). A
 * second try, on a new connection, either finds it or ends with "unserved", which sends the caller elsewhere.
 */
const REFUSED_AGAIN = create(RetryPolicySchema, {
  retryOn: "refused-stream",
  numRetries: 1,
  retryBackOff: { baseInterval: ms(1), maxInterval: ms(5) },
});

/** Everything goes to the application, provided that the policies of the port allow it. */
export function inboundRoute(nodeId: NodeId, { port, access }: InboundPort): RouteConfiguration {
  const perRoute = create(RBACPerRouteSchema, { rbac: { rules: rbac(access) } });
  const policies = access.map(({ policy }) => policy).join(", ");
  return create(RouteConfigurationSchema, {
    name: inboundRouteName(nodeId, port),
    // An application that set it could have requests repeated that it has begun.
    responseHeadersToRemove: [UNSERVED_HEADER],
    virtualHosts: [
      {
        name: "application",
        domains: ["*"],
        routes: [
          {
            name: "application",
            match: { pathSpecifier: { case: "prefix", value: "/" } },
            metadata: { filterMetadata: { [ACCESS_METADATA]: { [ACCESS_METADATA_POLICY]: policies } } },
            typedPerFilterConfig: { [RBAC_FILTER]: anyPack(RBACPerRouteSchema, perRoute) },
            action: {
              case: "route",
              value: {
                clusterSpecifier: { case: "cluster", value: inboundName(port) },
                // The caller's side counts; two clocks would only race.
                timeout: ms(0),
                retryPolicy: REFUSED_AGAIN,
              },
            },
          },
        ],
      },
    ],
  });
}
