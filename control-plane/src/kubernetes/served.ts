import type { KubernetesClient } from "./client.ts";
import { KubernetesError } from "./errors.ts";
import { fieldOf, listIn } from "./json-fields.ts";

/**
 * Whether the API server says in its discovery documents that it has a resource, as in /apis/GROUP/VERSION/RESOURCE: a 404
 * alone may come from a proxy. Throws KubernetesError where it cannot be asked.
 */
export async function isServed(client: KubernetesClient, path: string, signal: AbortSignal): Promise<boolean> {
  const [root, group, version, resource] = path.split("/").slice(1);
  const groups = await client.request("GET", `/${root}`, { signal });
  const [found] = listIn(groups, "groups", 10_000).filter((entry) => fieldOf(entry, "name") === group);
  const versions = listIn(found, "versions", 100).map((entry) => fieldOf(entry, "version"));
  // A list of something else says nothing.
  if (fieldOf(groups, "kind") !== "APIGroupList") throw new KubernetesError(0, "BadAnswer", "no list of API groups");
  if (!versions.includes(version)) return false;
  const resources = await client.request("GET", `/${root}/${group}/${version}`, { signal });
  return listIn(resources, "resources", 10_000).some((entry) => fieldOf(entry, "name") === resource);
}
