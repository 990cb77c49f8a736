import { type ObjectKey, objectKey } from "@hedgerow/manifest";
import { fieldOf, listIn, objectIn, portIn, textIn } from "../kubernetes/json-fields.ts";
import type { NodeId } from "../snapshot/snapshot.ts";

export interface SliceRecord {
  /** The Service whose endpoints these are. */
  readonly service: ObjectKey;
  /** The TCP ports, by the name of the Service's port (empty where it has none). */
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  readonly address: string;
  readonly ready: boolean;
  readonly pod: NodeId | undefined;
}

const serviceLabel = "kubernetes.io/service-name";
/** A slice has at most 1000 endpoints and 100 ports (discovery/v1). */
const maxEndpoints = 1000;
const maxPorts = 100;

/** An EndpointSlice of addresses. Undefined: of names (FQDN), or of no Service. Never throws. */
export function readEndpointSlice(raw: unknown): SliceRecord | undefined {
  const metadata = objectIn(raw, "metadata");
  const namespace = textIn(metadata, "namespace");
  const name = textIn(objectIn(metadata, "labels"), serviceLabel, 63);
  const addressType = fieldOf(raw, "addressType");
  if (namespace === undefined || name === undefined) return undefined;
  if (addressType !== "IPv4" && addressType !== "IPv6") return undefined;
  return {
    service: objectKey({ kind: "Service", namespace, name }),
    ports: listIn(raw, "ports", maxPorts).flatMap((entry) => {
      const port = portIn(entry, "port");
      if (port === undefined || (fieldOf(entry, "protocol") ?? "TCP") !== "TCP") return [];
      return [{ name: textIn(entry, "name", 63) ?? "", port }];
    }),
    endpoints: listIn(raw, "endpoints", maxEndpoints).flatMap((entry) => readEndpoint(entry, namespace)),
  };
}

function readEndpoint(entry: unknown, namespace: string): readonly SliceEndpoint[] {
  const conditions = objectIn(entry, "conditions");
  // Consumers take an unknown state for ready (discovery/v1, EndpointConditions.ready).
  const ready = (fieldOf(conditions, "ready") ?? true) === true && fieldOf(conditions, "terminating") !== true;
  const target = objectIn(entry, "targetRef");
  const podName = fieldOf(target, "kind") === "Pod" ? textIn(target, "name") : undefined;
  const pod: NodeId | undefined =
    podName === undefined ? undefined : `${textIn(target, "namespace") ?? namespace}/${podName}`;
  // The addresses of one endpoint are interchangeable: the first is enough (discovery/v1, Endpoint.addresses).
  const [address] = listIn(entry, "addresses", 1);
  return typeof address === "string" && address !== "" && address.length <= 64 ? [{ address, ready, pod }] : [];
}
