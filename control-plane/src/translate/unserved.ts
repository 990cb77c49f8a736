// A server's sidecar that could not connect to its application says so, and the caller's sidecar asks another server.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { UNSERVED_HEADER } from "@hedgerow/proto";
import type { HeaderMatcherSchema } from "@hedgerow/proto/envoy/config/route/v3/route_components";

/** Routes of the server remove it from what the application itself answers, routes of the caller from what their application sees. */
export const IS_UNSERVED: MessageInitShape<typeof HeaderMatcherSchema> = {
  name: UNSERVED_HEADER,
  headerMatchSpecifier: { case: "presentMatch", value: true },
};
