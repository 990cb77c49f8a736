import { type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "@hedgerow/proto";
import { stringify } from "yaml";
import { compareText } from "../model/catalog.ts";
import { decodeResource, REGISTRY } from "./decode.ts";
import type { ProxySnapshot, Resource } from "./snapshot.ts";

/** What people call the types, in the order in which a request meets them. */
export const TYPE_NAMES = {
  listeners: LISTENER_TYPE_URL,
  routes: ROUTE_TYPE_URL,
  clusters: CLUSTER_TYPE_URL,
  endpoints: ENDPOINT_TYPE_URL,
  "workload-configs": WORKLOAD_CONFIG_TYPE_URL,
  "inspection-configs": INSPECTION_CONFIG_TYPE_URL,
} as const satisfies Readonly<Record<string, AdsTypeUrl>>;
export type TypeName = keyof typeof TYPE_NAMES;

/** The resource as canonical proto JSON with Envoy's field names, in the order of its bytes. */
export function resourceJson(resource: Resource): JsonValue {
  const message = decodeResource(resource);
  const schema = REGISTRY.getMessage(message.$typeName);
  if (schema === undefined) throw new Error(`${message.$typeName} is not in the registry`);
  return toJson(schema, message, { registry: REGISTRY, useProtoFieldName: true });
}

/** A proxy's resources as YAML, by type and sorted by name; `types` chooses some, default all. */
export function renderYaml(
  proxy: ProxySnapshot,
  types: readonly TypeName[] = [
    "listeners",
    "routes",
    "clusters",
    "endpoints",
    "workload-configs",
    "inspection-configs",
  ],
): string {
  return renderValue(Object.fromEntries(types.map((type) => [type, resourcesJson(proxy, type)])));
}

/** All resources of one type of a proxy, sorted by name. */
export function resourcesJson({ resources }: ProxySnapshot, type: TypeName): readonly JsonValue[] {
  return [...(resources.get(TYPE_NAMES[type])?.values() ?? [])]
    .toSorted((a, b) => compareText(a.name, b.name))
    .map(resourceJson);
}

/** Quotes what YAML 1.1 readers, Envoy's among them, would take for a boolean. */
export function renderValue(value: unknown): string {
  return stringify(value, { lineWidth: 120, aliasDuplicateObjects: false, compat: "yaml-1.1" });
}
