// The filters that lead requests past the agent, and what a route says to them.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import {
  DECISION_HEADER,
  INSPECT_CLUSTER,
  INSPECT_FILTER_CLOSED,
  INSPECT_FILTER_OPEN,
  INSPECT_METADATA,
  STATUS_HEADER,
  UNSERVED_HEADER,
} from "@hedgerow/proto";
import { RBAC_Action } from "@hedgerow/proto/envoy/config/rbac/v3/rbac";
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from "@hedgerow/proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz";
import { RBACPerRouteSchema, RBACSchema } from "@hedgerow/proto/envoy/extensions/filters/http/rbac/v3/rbac";
import {
  type HttpFilter,
  HttpFilterSchema,
} from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import type { ListStringMatcherSchema } from "@hedgerow/proto/envoy/type/matcher/v3/string";
import { StatusCode } from "@hedgerow/proto/envoy/type/v3/http_status";
import type { Inspection } from "../model/model.ts";
import { ms } from "./limits.ts";

/** How long the agent may take for one decision. */
const CHECK_MS = 2_000;

/**
 * In order; all in every inbound chain, so that no policy changes a listener. A route leaves at most one of the two that ask the
 * agent on, and behind the closed one a guard.
 */
export function inspectFilters(port: number): readonly HttpFilter[] {
  return [inspectFilter(port, INSPECT_FILTER_CLOSED, false), inspectFilter(port, INSPECT_FILTER_OPEN, true), GUARD];
}

/**
 * Refuses what no agent has decided on. Envoy (1.40) answers a check that gets no answer by itself, and to a gRPC caller's check
 * in gRPC: with HTTP status 200, which it then takes for the agent's yes.
 */
const GUARD_FILTER = "hedgerow.inspect.decided";
const GUARD = create(HttpFilterSchema, {
  name: GUARD_FILTER,
  // Without rules it lets everything through.
  configType: { case: "typedConfig", value: anyPack(RBACSchema, create(RBACSchema)) },
});

/** Of the guard, in the details of what it refused. */
export const UNDECIDED = "undecided";
const GUARDED = anyPack(
  RBACPerRouteSchema,
  create(RBACPerRouteSchema, {
    rbac: {
      rules: {
        action: RBAC_Action.DENY,
        policies: {
          [UNDECIDED]: {
            principals: [{ identifier: { case: "any", value: true } }],
            permissions: [
              {
                rule: {
                  case: "notRule",
                  value: {
                    rule: {
                      case: "metadata",
                      value: {
                        filter: INSPECT_METADATA,
                        path: [{ segment: { case: "key", value: DECISION_HEADER } }],
                        value: { matchPattern: { case: "presentMatch", value: true } },
                      },
                    },
                  },
                },
              },
            ],
          },
        },
      },
    },
  }),
);

function inspectFilter(port: number, name: string, failureModeAllow: boolean): HttpFilter {
  const config = create(ExtAuthzSchema, {
    services: {
      case: "httpService",
      value: {
        serverUri: {
          uri: `http://${INSPECT_CLUSTER}`,
          httpUpstreamType: { case: "cluster", value: INSPECT_CLUSTER },
          timeout: ms(CHECK_MS),
        },
        // The agent is told where the request came in, and then the path as the application will see it.
        pathPrefix: `/${port}`,
        authorizationResponse: {
          allowedUpstreamHeaders: headers(DECISION_HEADER),
          allowedClientHeaders: headers(...DENIAL_HEADERS),
          allowedClientHeadersOnSuccess: headers(DECISION_HEADER),
          dynamicMetadataFromHeaders: headers(DECISION_HEADER, STATUS_HEADER),
        },
      },
    },
    allowedHeaders: {
      patterns: [
        ...READ_HEADERS.map((value) => ({ matchPattern: { case: "exact" as const, value } })),
        { matchPattern: { case: "prefix", value: "connect-" } },
      ],
    },
    failureModeAllow,
    // Not 403: nobody has decided anything.
    statusOnError: { code: StatusCode.ServiceUnavailable },
    statPrefix: failureModeAllow ? "open" : "closed",
  });
  return create(HttpFilterSchema, {
    name,
    configType: { case: "typedConfig", value: anyPack(ExtAuthzSchema, config) },
  });
}

/** What a denial consists of, beside its status and body. */
const DENIAL_HEADERS = [
  "content-type",
  "grpc-status",
  "grpc-retry-pushback-ms",
  "retry-after",
  DECISION_HEADER,
  UNSERVED_HEADER,
];

/** What the agent reads a request by. Envoy adds method, path, host, content-length and authorization. */
const READ_HEADERS = [
  "content-type",
  "content-encoding",
  "grpc-encoding",
  "te",
  "inference-header-content-length",
  "x-request-id",
  // Set by Envoy (SANITIZE_SET): who calls.
  "x-forwarded-client-cert",
  "x-envoy-attempt-count",
];

function headers(...names: readonly string[]): MessageInitShape<typeof ListStringMatcherSchema> {
  return { patterns: names.map((value) => ({ matchPattern: { case: "exact", value } })) };
}

/**
 * Envoy answers a body over its limit with 413, but not when the part that exceeds it is the last that it reads: then it shows the agent
 * as much as the limit says, and lets all of it through. (`x-envoy-auth-partial-body: true`; not what `allow_partial_message` is
 * documented to do, Envoy 1.40.) With a limit beyond its own the agent can tell a body that is cut, and refuses it.
 */
const CUT_BYTES = 1;

type PerFilterConfig = Readonly<Record<string, Any>>;

/** `typed_per_filter_config` of a route: checked with its whole body, without it, or, undefined, not at all. */
export function inspectConfig(inspection: Inspection | undefined, body: "with-body" | "without-body"): PerFilterConfig {
  if (inspection === undefined) return { [INSPECT_FILTER_CLOSED]: OFF, [INSPECT_FILTER_OPEN]: OFF };
  // Without a body the check does not wait for one: a stream would never get further.
  const check =
    body === "without-body"
      ? { disableRequestBodyBuffering: true }
      : { withRequestBody: { maxRequestBytes: inspection.maxRequestBytes + CUT_BYTES } };
  const on = pack({ override: { case: "checkSettings", value: check } });
  return inspection.failMode === "closed"
    ? { [INSPECT_FILTER_CLOSED]: on, [INSPECT_FILTER_OPEN]: OFF, [GUARD_FILTER]: GUARDED }
    : { [INSPECT_FILTER_CLOSED]: OFF, [INSPECT_FILTER_OPEN]: on };
}

function pack(init: MessageInitShape<typeof ExtAuthzPerRouteSchema>): Any {
  return anyPack(ExtAuthzPerRouteSchema, create(ExtAuthzPerRouteSchema, init));
}

const OFF = pack({ override: { case: "disabled", value: true } });
