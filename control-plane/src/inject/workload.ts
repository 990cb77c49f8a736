import { type Fields, fieldsOf, isFields, listOf, textOf } from "./shape.ts";

/** A pod, or the template of pods, in an object of Kubernetes. */
export interface PodPlace {
  /** Of the object that it stands in: as `deployment fraud/api`. */
  readonly owner: string;
  /** From the root of what was read. */
  readonly path: readonly (string | number)[];
  readonly pod: unknown;
  /** Of the owner; undefined where it does not say. */
  readonly namespace: string | undefined;
}

/** Namespaces in which nothing is ever injected, as the webhook's selectors have it. */
export const SYSTEM_NAMESPACES: readonly string[] = [
  "kube-system",
  "kube-public",
  "kube-node-lease",
  "hedgerow-system",
];

const templates: Readonly<Record<string, readonly string[]>> = {
  "v1 Pod": [],
  "v1 PodTemplate": ["template"],
  "v1 ReplicationController": ["spec", "template"],
  "apps/v1 Deployment": ["spec", "template"],
  "apps/v1 StatefulSet": ["spec", "template"],
  "apps/v1 DaemonSet": ["spec", "template"],
  "apps/v1 ReplicaSet": ["spec", "template"],
  "batch/v1 Job": ["spec", "template"],
  "batch/v1 CronJob": ["spec", "jobTemplate", "spec", "template"],
};
/** Of lists in lists. */
const MAX_DEPTH = 4;

/** Every pod and pod template in an object, or in the objects of a list. What is neither has none. */
export function podPlaces(object: unknown): readonly PodPlace[] {
  return placesIn(object, [], 0);
}

function placesIn(object: unknown, path: PodPlace["path"], depth: number): readonly PodPlace[] {
  if (!isFields(object) || depth > MAX_DEPTH) return [];
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return [];
  if (kind.endsWith("List"))
    return listOf(object["items"]).flatMap((item, index) => placesIn(item, [...path, "items", index], depth + 1));
  const name = `${apiVersion} ${kind}`;
  const template = Object.hasOwn(templates, name) ? templates[name] : undefined;
  if (template === undefined) return [];
  const pod = template.reduce<unknown>((value, field) => fieldsOf(value)[field], object);
  return [{ ...nameOf(kind, fieldsOf(object["metadata"])), path: [...path, ...template], pod }];
}

function nameOf(kind: string, metadata: Fields): Pick<PodPlace, "owner" | "namespace"> {
  const namespace = textOf(metadata["namespace"]);
  const name = textOf(metadata["name"]) ?? textOf(metadata["generateName"]) ?? "?";
  return { owner: `${kind.toLowerCase()} ${namespace === undefined ? "" : `${namespace}/`}${name}`, namespace };
}
