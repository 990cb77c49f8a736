// Where the statuses of our kinds stand, and what of them is ours.
import { z } from "zod";
import { sameContent } from "../last-good/same-content.ts";
import type { ObjectStatusInit } from "../status/describe-status.ts";
import {
  CONTROLLER_NAME,
  type KubernetesStatus,
  keepTimes,
  kubernetesStatus,
  type RouteParent,
  routeConditions,
  routeParents,
} from "../status/kubernetes-status.ts";

/** What stands at the API server of an object: for a route, of our entries alone. */
export type StandingStatus = KubernetesStatus | readonly RouteParent[];

const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  observedGeneration: z.number().default(0),
  lastTransitionTime: z.string(),
  reason: z.string().default(""),
  message: z.string().default(""),
});
const parent = z.looseObject({
  parentRef: z.record(z.string(), z.unknown()),
  controllerName: z.string(),
  conditions: z.array(condition).default([]),
});
const ownStatus = z.looseObject({
  observedGeneration: z.number(),
  effective: z.enum(["yes", "partly", "no"]),
  conditions: z.array(condition).default([]),
  proxies: z.looseObject({ total: z.number(), programmed: z.number(), summary: z.string() }),
  laggards: z.array(z.looseObject({ nodeId: z.string(), reason: z.string(), message: z.string() })).default([]),
});
const route = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z.looseObject({ parentRefs: z.array(z.unknown()).default([]) }).default({ parentRefs: [] }),
  status: z.looseObject({ parents: z.array(parent).default([]) }).default({ parents: [] }),
});

export interface StatusPlace {
  readonly apiVersion: string;
  /** As in /apis/GROUP/VERSION. */
  readonly group: string;
  readonly plural: string;
  /** What is ours of a status that was listed; undefined where there is nothing that we understand. */
  standing(status: unknown): StandingStatus | undefined;
}

const own = (plural: string): StatusPlace => ({
  apiVersion: "hedgerow.dev/v1alpha1",
  group: "/apis/hedgerow.dev/v1alpha1",
  plural,
  standing: (status) => ownStatus.safeParse(status).data,
});

/** By kind. A Service has no conditions of ours. */
export const STATUS_PLACES: ReadonlyMap<string, StatusPlace> = new Map([
  ["MeshConfig", own("meshconfigs")],
  ["Workload", own("workloads")],
  ["AccessPolicy", own("accesspolicies")],
  ["AuditPolicy", own("auditpolicies")],
  ["TrafficPolicy", own("trafficpolicies")],
  [
    "HTTPRoute",
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      group: "/apis/gateway.networking.k8s.io/v1",
      plural: "httproutes",
      standing: (status) => ourParents(route.shape.status.safeParse(status).data?.parents ?? []),
    },
  ],
]);

const ourParents = (parents: readonly RouteParent[]) =>
  parents.filter(({ controllerName }) => controllerName === CONTROLLER_NAME);

/** What is to stand, beside what stands. */
export function wantedStatus(object: ObjectStatusInit, standing: StandingStatus | undefined): KubernetesStatus {
  const status = kubernetesStatus(object);
  if (standing === undefined || isRouteStatus(standing)) return status;
  return { ...status, conditions: keepTimes(status.conditions, standing.conditions) };
}

/** Whether what stands says something else than what we know. */
export function isOutdated(object: ObjectStatusInit, standing: StandingStatus | undefined): boolean {
  if (standing === undefined) return true;
  if (!isRouteStatus(standing)) return !sameContent(wantedStatus(object, standing), standing);
  const wanted = routeConditions(object);
  return (
    standing.length === 0 || standing.some(({ conditions }) => !sameContent(keepTimes(wanted, conditions), conditions))
  );
}

/** All entries of a route as they are to stand: those of other controllers as they are, then ours. */
export function wantedRoute(
  object: ObjectStatusInit,
  live: unknown,
): {
  readonly resourceVersion: string;
  readonly others: readonly RouteParent[];
  readonly ours: readonly RouteParent[];
} {
  const { metadata, spec, status } = route.parse(live);
  const standing = ourParents(status.parents);
  const ours = routeParents(object, spec.parentRefs).map((entry) => {
    const before = standing.find(({ parentRef }) => sameContent(parentRef, entry.parentRef));
    return { ...entry, conditions: keepTimes(entry.conditions, before?.conditions ?? []) };
  });
  const others = status.parents.filter(({ controllerName }) => controllerName !== CONTROLLER_NAME);
  return { resourceVersion: metadata.resourceVersion, others, ours };
}

function isRouteStatus(standing: StandingStatus): standing is readonly RouteParent[] {
  return Array.isArray(standing);
}
