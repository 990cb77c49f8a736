import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { UNSERVED_HEADER } from "@hedgerow/proto";
import { type RouteConfiguration, RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import {
  type HeaderMatcherSchema,
  RetryPolicySchema,
  RouteAction_ClusterNotFoundResponseCode,
  type RouteActionSchema,
  type RouteMatchSchema,
  type RouteSchema,
} from "@hedgerow/proto/envoy/config/route/v3/route_components";
import { PreviousHostsPredicateSchema } from "@hedgerow/proto/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts";
import type { Backend, HeaderMatch, Route, RouteMatch, ServicePort } from "../model/model.ts";
import { ms, NO_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from "./limits.ts";
import { directName, outboundName, UNRESOLVED_CLUSTER } from "./names.ts";
import { virtualHost } from "./request-buffer.ts";
import { IS_UNSERVED } from "./unserved.ts";

/** How requests to a service are spread over its backends: one for all callers. No match: 404. */
export function outboundRoute({ id, routes, virtual, maxRequestBytes }: ServicePort): RouteConfiguration {
  const timeoutMs = virtual === undefined ? REQUEST_TIMEOUT_MS : NO_TIMEOUT_MS;
  return routeConfiguration(
    outboundName(id),
    (routes ?? [straight(id)]).map((route) => translateRoute(route, timeoutMs)),
    maxRequestBytes,
  );
}

/** Requests to the endpoint of a headless service that the application connected to. */
export function directRoute({ id, maxRequestBytes }: ServicePort): RouteConfiguration {
  const { match } = straight(id);
  const route: XdsRoute = {
    match: translateMatch(match),
    action: { case: "route", value: toClusters([{ name: directName(id), weight: 1 }], NO_TIMEOUT_MS) },
  };
  return routeConfiguration(directName(id), [route], maxRequestBytes);
}

type XdsRoute = MessageInitShape<typeof RouteSchema>;

function routeConfiguration(
  name: string,
  routes: readonly XdsRoute[],
  maxRequestBytes: number | undefined,
): RouteConfiguration {
  const host = {
    name,
    domains: ["*"],
    retryPolicy: RETRY_POLICY,
    // The server's sidecar records which attempt it met.
    includeRequestAttemptCount: true,
    routes: [...routes],
  };
  return create(RouteConfigurationSchema, {
    name,
    responseHeadersToRemove: [UNSERVED_HEADER],
    virtualHosts: [virtualHost(host, maxRequestBytes)],
  });
}

/** The services that an outbound route may lead to, weight 0 included: their clusters are warm before a weight is. */
export function backendsOf({ id, routes }: ServicePort): ReadonlySet<string> {
  if (routes === undefined) return new Set([id]);
  return new Set(routes.flatMap(({ backends }) => backends.flatMap(({ service }) => service ?? [])));
}

function straight(service: string): Route {
  return {
    match: { path: { type: "PathPrefix", value: "/" }, headers: [], method: undefined },
    backends: [{ service, weight: 1 }],
  };
}

function translateRoute({ match, backends }: Route, timeoutMs: number): XdsRoute {
  const action = translateBackends(backends, timeoutMs);
  return action === undefined
    ? { match: translateMatch(match), action: { case: "directResponse", value: { status: 500 } } }
    : { match: translateMatch(match), action: { case: "route", value: action } };
}

// Undefined: nothing to send to. Gateway API, HTTPRouteRule `backendRefs`: such requests are answered with 500.
function translateBackends(
  backends: readonly Backend[],
  timeoutMs: number,
): MessageInitShape<typeof RouteActionSchema> | undefined {
  const served = backends.filter(({ service, weight }) => service !== undefined || weight > 0);
  const resolves = served.some(({ service, weight }) => service !== undefined && weight > 0);
  if (!resolves) return;
  return toClusters(
    served.map(({ service, weight }) => ({
      name: service === undefined ? UNRESOLVED_CLUSTER : outboundName(service),
      weight,
    })),
    timeoutMs,
  );
}

function toClusters(
  clusters: readonly { readonly name: string; readonly weight: number }[],
  timeoutMs: number,
): MessageInitShape<typeof RouteActionSchema> {
  const [first, ...others] = clusters;
  return {
    clusterSpecifier:
      first !== undefined && others.length === 0
        ? { case: "cluster", value: first.name }
        : { case: "weightedClusters", value: { clusters: [...clusters] } },
    clusterNotFoundResponseCode: RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR,
    timeout: ms(timeoutMs),
  };
}

function translateMatch({ path, headers, method }: RouteMatch): MessageInitShape<typeof RouteMatchSchema> {
  return {
    pathSpecifier: translatePath(path),
    headers: [
      ...(method === undefined ? [] : [translateHeader({ type: "Exact", name: ":method", value: method })]),
      ...headers.map(translateHeader),
    ],
  };
}

type PathSpecifier = NonNullable<MessageInitShape<typeof RouteMatchSchema>["pathSpecifier"]>;

function translatePath({ type, value }: RouteMatch["path"]): PathSpecifier {
  switch (type) {
    case "Exact":
      return { case: "path", value };
    case "PathPrefix": {
      // By whole elements, whether or not the value ends in a slash (Gateway API, PathMatchPathPrefix).
      const prefix = value.replace(/\/+$/, "");
      return prefix === "" ? { case: "prefix", value: "/" } : { case: "pathSeparatedPrefix", value: prefix };
    }
    case "RegularExpression":
      return { case: "safeRegex", value: { regex: value } };
  }
}

function translateHeader({ type, name, value }: HeaderMatch): MessageInitShape<typeof HeaderMatcherSchema> {
  return {
    // Envoy knows the Host header by its HTTP/2 name.
    name: name === "host" ? ":authority" : name,
    headerMatchSpecifier: {
      case: "stringMatch",
      value: {
        matchPattern: type === "Exact" ? { case: "exact", value } : { case: "safeRegex", value: { regex: value } },
      },
    },
  };
}

/**
 * Tries again only what no server has begun to work on, so that it is safe for every request: no connection, a stream
 * refused, a connection lost before the request was sent, a server's sidecar without its application. On another host,
 * where there is one.
 */
const RETRY_POLICY = create(RetryPolicySchema, {
  retryOn: "connect-failure,refused-stream,reset-before-request,retriable-headers",
  retriableHeaders: [IS_UNSERVED],
  numRetries: 2,
  retryBackOff: { baseInterval: ms(1), maxInterval: ms(25) },
  retryHostPredicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      configType: {
        case: "typedConfig",
        value: anyPack(PreviousHostsPredicateSchema, create(PreviousHostsPredicateSchema)),
      },
    },
  ],
  // A dead host has the fewest requests, so the balancer offers it again and again; with 3 attempts 1 in 30 calls met it
  // three times.
  hostSelectionRetryMaxAttempts: 20n,
});
