// Writes a proxy's snapshot into files in the form in which Envoy reads it from a path: one response a file.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { DiscoveryResponseSchema, ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import type { ProxySnapshot, Resource } from "../src/snapshot/snapshot.ts";
import { resourceJson, TYPE_NAMES, type TypeName } from "../src/snapshot/yaml.ts";
import type { Identity } from "./identity.ts";

const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/** The ConfigSource of everything that Envoy reads here. */
export function pathSource(dir: string, file: string) {
  return { resource_api_version: "V3", path_config_source: { path: join(dir, file) }, initial_fetch_timeout: "0s" };
}

/** What is referred to comes first, so that Envoy never meets a reference to a file that is not there. */
export function writeSnapshot(dir: string, proxy: ProxySnapshot): void {
  for (const type of ["endpoints", "routes"] as const)
    for (const resource of resourcesOf(proxy, type)) {
      const file = fileOf(type, resource.name);
      if (type === "routes") writeBinary(dir, file, resource);
      else writeResources(dir, file, type, [resource]);
    }
  for (const type of ["clusters", "listeners"] as const)
    writeResources(dir, `${type}.json`, type, resourcesOf(proxy, type));
}

export function resourcesOf({ resources }: ProxySnapshot, type: TypeName): readonly Resource[] {
  return [...(resources.get(TYPE_NAMES[type])?.values() ?? [])];
}

/** What Envoy calls the content of one file. */
export function versionOf(resources: readonly Resource[]): string {
  return resources
    .map(({ name, version }) => `${name}@${version}`)
    .toSorted()
    .join();
}

export function writeSecrets(dir: string, { key, cert, ca }: Identity): void {
  const inline = (text: string) => ({ inline_string: text });
  const secrets = [
    { name: "svid", tls_certificate: { certificate_chain: inline(cert), private_key: inline(key) } },
    { name: "trust-bundle", validation_context: { trusted_ca: inline(ca) } },
  ];
  for (const secret of secrets)
    replaceFile(join(dir, secretFile(secret.name)), JSON.stringify({ resources: [{ "@type": SECRET, ...secret }] }));
}

// As its bytes are: JSON would lose the fields that our types do not know. Nothing in it is read from elsewhere.
function writeBinary(dir: string, file: string, resource: Resource): void {
  const { resource: any } = fromBinary(ResourceSchema, resource.encoded);
  const response = create(DiscoveryResponseSchema, {
    versionInfo: versionOf([resource]),
    resources: any === undefined ? [] : [any],
  });
  mkdirSync(join(dir, "resources"), { recursive: true });
  replaceFile(join(dir, file), toBinary(DiscoveryResponseSchema, response));
}

function writeResources(dir: string, file: string, type: TypeName, resources: readonly Resource[]): void {
  const typed = resources.map((resource) => ({
    "@type": TYPE_NAMES[type],
    ...mapping(fromPaths(dir, resourceJson(resource))),
  }));
  mkdirSync(join(dir, "resources"), { recursive: true });
  replaceFile(join(dir, file), JSON.stringify({ version_info: versionOf(resources), resources: typed }));
}

// Envoy watches for a file that is moved into place.
function replaceFile(path: string, text: string | Uint8Array): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** The same message, read from files where it would ask ADS or the agent. */
function fromPaths(dir: string, value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map((item) => fromPaths(dir, item));
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([key, field]): [string, JsonValue] => {
    if (key === "rds")
      return [
        key,
        { ...mapping(field), config_source: pathSource(dir, fileOf("routes", mapping(field)["route_config_name"])) },
      ];
    if (key === "eds_cluster_config") return [key, { eds_config: pathSource(dir, fileOf("endpoints", value["name"])) }];
    if (key === "sds_config") return [key, pathSource(dir, secretFile(value["name"]))];
    return [key, fromPaths(dir, field)];
  });
  return Object.fromEntries(fields);
}

function secretFile(name: JsonValue | undefined): string {
  if (name !== "svid" && name !== "trust-bundle") throw new Error("expected the name of a secret");
  return `${name}.json`;
}

function fileOf(type: "routes" | "endpoints", name: JsonValue | undefined): string {
  if (typeof name !== "string") throw new Error("expected a name");
  return `resources/${type}-${encodeURIComponent(name)}.${type === "routes" ? "pb" : "json"}`;
}

function mapping(value: JsonValue): Readonly<Record<string, JsonValue>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("expected a message");
  return value;
}
