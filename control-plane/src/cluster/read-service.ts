import type { Service, SourceObject } from "@hedgerow/manifest";
import { fieldOf, type JsonObject, labelsIn, listIn, objectIn, portIn, textIn } from "../kubernetes/json-fields.ts";
import { portProtocol } from "./port-protocol.ts";
import type { ClusterService, ClusterServicePort } from "./state.ts";

/** A Service as it says itself, without endpoints. */
export interface ServiceRecord {
  readonly ref: ClusterService["ref"];
  readonly clusterIps: readonly string[];
  readonly ports: readonly Omit<ClusterServicePort, "endpoints">[];
  readonly object: SourceObject<Service>;
  /** metadata.generation; undefined: this API server counts none of Services. */
  readonly generation: number | undefined;
}

const maxPorts = 100;

/**
 * A core Service, leniently: it was written for the cluster, not for us, and is never in the wrong. A Service without a selector
 * has an empty one. Undefined: an ExternalName, or no Service. Never throws.
 */
export function readService(raw: unknown): ServiceRecord | undefined {
  const metadata = objectIn(raw, "metadata");
  const spec = objectIn(raw, "spec");
  const namespace = textIn(metadata, "namespace");
  const name = textIn(metadata, "name");
  if (namespace === undefined || name === undefined || fieldOf(spec, "type") === "ExternalName") return undefined;
  const ports = listIn(spec, "ports", maxPorts).filter(isTcp);
  const generation = fieldOf(metadata, "generation");
  return {
    ref: { kind: "Service", namespace, name },
    clusterIps: clusterIpsOf(spec),
    ports: ports.flatMap((entry) => {
      const port = portIn(entry, "port");
      if (port === undefined) return [];
      const portName = textIn(entry, "name", 63);
      return [{ port, name: portName, protocol: portProtocol(textIn(entry, "appProtocol"), portName) }];
    }),
    object: new ClusterServiceObject({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace, labels: labelsIn(metadata, "labels"), annotations: {}, ...creationOf(metadata) },
      spec: { selector: labelsIn(spec, "selector"), ports: ports.flatMap((entry) => manifestPort(entry) ?? []) },
    }),
    generation:
      typeof generation === "number" && Number.isSafeInteger(generation) && generation > 0 ? generation : undefined,
  };
}

function isTcp(port: unknown): boolean {
  return (fieldOf(port, "protocol") ?? "TCP") === "TCP";
}

function clusterIpsOf(spec: JsonObject): readonly string[] {
  const listed = listIn(spec, "clusterIPs", 2).filter((ip) => typeof ip === "string");
  const all = listed.length > 0 ? listed : [textIn(spec, "clusterIP", 64) ?? ""];
  return all.filter((ip) => ip !== "" && ip !== "None" && ip.length <= 64);
}

function manifestPort(entry: unknown): Service["spec"]["ports"][number] | undefined {
  const port = portIn(entry, "port");
  if (port === undefined) return undefined;
  const name = textIn(entry, "name", 63);
  const targetPort = portIn(entry, "targetPort") ?? textIn(entry, "targetPort", 63);
  const appProtocol = textIn(entry, "appProtocol");
  return {
    port,
    ...(name === undefined ? {} : { name }),
    ...(targetPort === undefined ? {} : { targetPort }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

function creationOf(metadata: JsonObject): { readonly creationTimestamp?: string } {
  const creationTimestamp = textIn(metadata, "creationTimestamp", 64);
  return creationTimestamp === undefined ? {} : { creationTimestamp };
}

/** Thousands of them are there, and few are ever asked where they stand. */
class ClusterServiceObject implements SourceObject<Service> {
  readonly manifest: Service;
  readonly line = 0;

  constructor(manifest: Service) {
    this.manifest = manifest;
  }

  get file(): string {
    const { namespace, name } = this.manifest.metadata;
    return `Service/${namespace}/${name}`;
  }

  get text(): string {
    return JSON.stringify(this.manifest);
  }

  positionOf(): ReturnType<SourceObject["positionOf"]> {
    return { file: this.file, line: 0, column: 0 };
  }
}
