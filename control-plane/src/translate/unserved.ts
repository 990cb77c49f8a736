// A server's sidecar that could not connect to its application says so, and the caller's sidecar asks another server.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { HeaderValueOption_HeaderAppendAction } from "@hedgerow/proto/envoy/config/core/v3/base";
import type { HeaderMatcherSchema } from "@hedgerow/proto/envoy/config/route/v3/route_components";
import type { LocalReplyConfigSchema } from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";

/**
 * On a 503 (or gRPC status 14): the application has not seen the request, so it is safe to try it elsewhere. Routes of the
 * server remove it from what the application itself answers, routes of the caller from what their application sees.
 */
export const UNSERVED_HEADER = "x-hedgerow-unserved";

/** Sets the header where there was no connection to the application (flag UF): nothing of the request has been sent then. */
export const UNSERVED_REPLY: MessageInitShape<typeof LocalReplyConfigSchema> = {
  mappers: [
    {
      filter: { filterSpecifier: { case: "responseFlagFilter", value: { flags: ["UF"] } } },
      // Added after the route has removed what the application answered.
      headersToAdd: [
        {
          header: { key: UNSERVED_HEADER, value: "1" },
          appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        },
      ],
    },
  ],
};

export const IS_UNSERVED: MessageInitShape<typeof HeaderMatcherSchema> = {
  name: UNSERVED_HEADER,
  headerMatchSpecifier: { case: "presentMatch", value: true },
};
