import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { inferencePaths, type TextMatch } from "@hedgerow/policy";
import {
  AUDIT_METADATA,
  AUDIT_METADATA_POLICY,
  DECISION_HEADER,
  MAX_REQUEST_BYTES_HEADER,
  UNSERVED_HEADER,
} from "@hedgerow/proto";
import {
  HeaderValueOption_HeaderAppendAction,
  type HeaderValueOptionSchema,
} from "@hedgerow/proto/envoy/config/core/v3/base";
import { type RouteConfiguration, RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import {
  RetryPolicySchema,
  type RouteActionSchema,
  type RouteMatchSchema,
  type RouteSchema,
} from "@hedgerow/proto/envoy/config/route/v3/route_components";
import { RBACPerRouteSchema } from "@hedgerow/proto/envoy/extensions/filters/http/rbac/v3/rbac";
import type { InboundPort } from "../model/model.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { inspectConfig } from "./inspection.ts";
import { ms } from "./limits.ts";
import { inboundName, inboundRouteName } from "./names.ts";
import { outputDigestConfig } from "./output-digest.ts";
import { ACCESS_METADATA, ACCESS_METADATA_POLICY, RBAC_FILTER, rbac } from "./rbac.ts";
import { virtualHost } from "./request-buffer.ts";

type Route = MessageInitShape<typeof RouteSchema>;

/**
 * An application that drains refuses the streams that it has not looked at (HTTP/2 REFUSED_STREAM, or after its GOAWAY). A
 * second try, on a new connection, either finds it or ends with "unserved", which sends the caller elsewhere.
 */
const REFUSED_AGAIN = create(RetryPolicySchema, {
  retryOn: "refused-stream",
  numRetries: 1,
  retryBackOff: { baseInterval: ms(1), maxInterval: ms(5) },
});

/**
 * Everything goes to the application, provided that the policies of the port allow it and, where it is inspected, that the
 * agent does.
 */
export function inboundRoute(nodeId: NodeId, inbound: InboundPort): RouteConfiguration {
  const { port, inspection } = inbound;
  const maxRequestBytes = inspection?.maxRequestBytes ?? inbound.maxRequestBytes;
  const name = "application";
  return create(RouteConfigurationSchema, {
    name: inboundRouteName(nodeId, port),
    // An application that set the one could have requests repeated that it has begun; the other is the agent's to say.
    responseHeadersToRemove: [UNSERVED_HEADER, DECISION_HEADER],
    requestHeadersToAdd: maxRequestBytes === undefined ? [] : [limitHeader(maxRequestBytes)],
    virtualHosts: [virtualHost({ name, domains: ["*"], routes: routes(inbound) }, maxRequestBytes)],
  });
}

function routes(inbound: InboundPort): Route[] {
  const { inspection } = inbound;
  const common = { metadata: { filterMetadata: metadata(inbound) }, action: toApplication(inbound) };
  const configured = (body: "with-body" | "without-body"): Record<string, Any> => ({
    [RBAC_FILTER]: access(inbound),
    ...inspectConfig(inspection, body),
    ...outputDigestConfig(inspection),
  });
  const rest: Route = {
    name: "application",
    match: { pathSpecifier: { case: "prefix", value: "/" } },
    ...common,
    typedPerFilterConfig: configured("without-body"),
  };
  if (inspection === undefined) return [rest];
  const inferences = inferencePaths("infer").map(
    (path): Route => ({
      name: "infer",
      match: match(path),
      ...common,
      action: toApplication(inbound, { upgradeConfigs: NO_UPGRADE }),
      typedPerFilterConfig: configured("with-body"),
    }),
  );
  return [...inferences, rest];
}

type RouteAction = MessageInitShape<typeof RouteActionSchema>;

/** Envoy (1.40) has a request that asks for a WebSocket checked without its body, whatever its method. */
const NO_UPGRADE: NonNullable<RouteAction["upgradeConfigs"]> = [{ upgradeType: "websocket", enabled: false }];

function toApplication({ port }: InboundPort, more: RouteAction = {}): { case: "route"; value: RouteAction } {
  return {
    case: "route",
    value: {
      ...more,
      clusterSpecifier: { case: "cluster", value: inboundName(port) },
      // The caller's side counts; two clocks would only race.
      timeout: ms(0),
      retryPolicy: REFUSED_AGAIN,
    },
  };
}

function access({ access }: InboundPort): Any {
  return anyPack(RBACPerRouteSchema, create(RBACPerRouteSchema, { rbac: { rules: rbac(access) } }));
}

function metadata({ access, inspection }: InboundPort): Record<string, Record<string, string>> {
  return {
    [ACCESS_METADATA]: { [ACCESS_METADATA_POLICY]: access.map(({ policy }) => policy).join(", ") },
    ...(inspection === undefined ? {} : { [AUDIT_METADATA]: { [AUDIT_METADATA_POLICY]: inspection.ledger } }),
  };
}

// By the normalised path without its query, as AccessPolicies read it.
function match({ kind, value }: TextMatch): MessageInitShape<typeof RouteMatchSchema> {
  switch (kind) {
    case "exact":
      return { pathSpecifier: { case: "path", value } };
    case "prefix":
      return { pathSpecifier: { case: kind, value } };
    case "regex":
      return { pathSpecifier: { case: "safeRegex", value: { regex: value } } };
  }
}

function limitHeader(bytes: number): MessageInitShape<typeof HeaderValueOptionSchema> {
  return {
    header: { key: MAX_REQUEST_BYTES_HEADER, value: String(bytes) },
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  };
}
