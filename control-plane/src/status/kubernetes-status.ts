// Our conditions in the shape that Kubernetes and the Gateway API give to a status.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { cutText } from "../text.ts";
import type { ObjectStatusInit } from "./describe-status.ts";

/** A meta/v1 Condition. */
export interface KubernetesCondition {
  readonly type: string;
  readonly status: string;
  readonly observedGeneration: number;
  /** RFC 3339, whole seconds. */
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

/** `status` of our own kinds. */
export interface KubernetesStatus {
  readonly observedGeneration: number;
  readonly effective: "yes" | "partly" | "no";
  readonly conditions: readonly KubernetesCondition[];
  readonly proxies: { readonly total: number; readonly programmed: number; readonly summary: string };
  readonly laggards: readonly { readonly nodeId: string; readonly reason: string; readonly message: string }[];
}

/** One entry of an HTTPRoute's `status.parents`. */
export interface RouteParent {
  readonly parentRef: Readonly<Record<string, unknown>>;
  readonly controllerName: string;
  readonly conditions: readonly KubernetesCondition[];
}

/** Who we are among the controllers that write into an HTTPRoute. */
export const CONTROLLER_NAME = "hedgerow.dev/control-plane";

const MAX_LAGGARDS = 10;
/** The API's limit is 32 KiB; nobody reads that. */
const MAX_MESSAGE_BYTES = 4_096;
const MAX_LAGGARD_BYTES = 512;
/** Conditions of the Gateway API keep their names on a route, ours are told apart. */
const ROUTE_TYPES = new Map([
  ["Accepted", "Accepted"],
  ["ResolvedRefs", "ResolvedRefs"],
  ["Programmed", "hedgerow.dev/Programmed"],
]);
/** A parentRef is named by these fields of it. */
const PARENT_FIELDS = ["group", "kind", "namespace", "name", "sectionName", "port"] as const;

export function kubernetesStatus(object: ObjectStatusInit): KubernetesStatus {
  const { observedGeneration = 1n, proxiesTotal: total = 0, proxiesProgrammed: programmed = 0, laggards = [] } = object;
  return {
    observedGeneration: Number(observedGeneration),
    effective: effectOf(object),
    conditions: conditionsOf(object, (type) => type),
    proxies: { total, programmed, summary: `${programmed}/${total}` },
    laggards: laggards.slice(0, MAX_LAGGARDS).map(({ nodeId = "", reason = "", message = "" }) => ({
      nodeId,
      reason,
      message: cutText(message, MAX_LAGGARD_BYTES),
    })),
  };
}

/** What each of our entries of a route says. */
export function routeConditions(object: ObjectStatusInit): readonly KubernetesCondition[] {
  return conditionsOf(object, (type) => ROUTE_TYPES.get(type));
}

/** Our entries for the Services among a route's parents; `parentRefs` as the API server has them now. */
export function routeParents(object: ObjectStatusInit, parentRefs: readonly unknown[]): readonly RouteParent[] {
  const conditions = routeConditions(object);
  return parentRefs.flatMap((ref): RouteParent[] => {
    const fields = typeof ref === "object" && ref !== null ? new Map(Object.entries(ref)) : new Map<string, unknown>();
    const isService = fields.get("kind") === "Service" && ["", "core"].includes(String(fields.get("group") ?? ""));
    if (!isService) return [];
    const parentRef = Object.fromEntries(
      PARENT_FIELDS.flatMap((name) => (fields.get(name) === undefined ? [] : [[name, fields.get(name)]])),
    );
    return [{ parentRef, controllerName: CONTROLLER_NAME, conditions }];
  });
}

/** Conditions whose status did not change keep the time that stands at the API server: another leader may have written it. */
export function keepTimes(
  conditions: readonly KubernetesCondition[],
  standing: readonly KubernetesCondition[],
): readonly KubernetesCondition[] {
  const before = new Map(standing.map((condition) => [condition.type, condition]));
  return conditions.map((condition) => {
    const same = before.get(condition.type);
    return same?.status === condition.status
      ? { ...condition, lastTransitionTime: same.lastTransitionTime }
      : condition;
  });
}

/** As `hedgerow status` has it: an object that was refused is not in effect, one that fails somewhere is so in part. */
function effectOf({
  conditions = [],
  proxiesTotal = 0,
  proxiesProgrammed = 0,
}: ObjectStatusInit): KubernetesStatus["effective"] {
  const isBad = (type: string) =>
    conditions.some(
      (one) => one.type === type && (type === "Conflicted" ? one.status === "True" : one.status !== "True"),
    );
  if (isBad("Accepted")) return "no";
  if (proxiesProgrammed < proxiesTotal) return proxiesProgrammed === 0 ? "no" : "partly";
  if (isBad("ResolvedRefs") || isBad("Conflicted")) return proxiesTotal === 0 ? "no" : "partly";
  return isBad("Programmed") ? "no" : "yes";
}

function conditionsOf(
  { observedGeneration = 1n, conditions = [] }: ObjectStatusInit,
  nameOf: (type: string) => string | undefined,
): readonly KubernetesCondition[] {
  return conditions.flatMap(({ type = "", status = "", reason = "", message = "", lastTransitionTime }) => {
    const name = nameOf(type);
    if (name === undefined) return [];
    const ms =
      lastTransitionTime === undefined
        ? 0
        : timestampMs({ $typeName: "google.protobuf.Timestamp", seconds: 0n, nanos: 0, ...lastTransitionTime });
    return [
      {
        type: name,
        status,
        observedGeneration: Number(observedGeneration),
        lastTransitionTime: new Date(ms).toISOString().replace(/\.[0-9]+Z$/, "Z"),
        reason,
        message: cutText(message, MAX_MESSAGE_BYTES),
      },
    ];
  });
}
