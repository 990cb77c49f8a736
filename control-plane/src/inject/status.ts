// The injector's own work in a pod, recognised by its annotation: so that injecting twice is injecting once.
import { isAuditMount } from "./audit-storage.ts";
import { MESH_LABEL, OUR_CONTAINERS, OUR_VOLUMES, PROXY_CONTAINER, STATUS_ANNOTATION } from "./names.ts";
import { restoreProbes } from "./probes.ts";
import { type Fields, fieldsOf, isFields, listOf, mapShared, without } from "./shape.ts";

/** What the annotation hedgerow.dev/status says. */
export interface Status {
  readonly revision: string;
  readonly version: string;
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
  /** Annotations that the injector changed, as they were; null: there was none. */
  readonly replaced: Readonly<Record<string, string | null>>;
}

/** A pod without what an injector of any version put into it. */
export interface Original {
  readonly pod: Fields;
  /** What is there by the same revision and version, to be kept where it is right already. */
  readonly ours: { readonly containers: readonly Fields[]; readonly volumes: readonly Fields[] };
}

/** `pod` itself where it was never injected. */
export function originalOf(pod: Fields, context: { readonly revision: string; readonly version: string }): Original {
  const untouched: Original = { pod, ours: { containers: [], volumes: [] } };
  const metadata = fieldsOf(pod["metadata"]);
  const spec = fieldsOf(pod["spec"]);
  const status = readStatus(fieldsOf(metadata["annotations"])[STATUS_ANNOTATION]);
  const containers = listOf(spec["initContainers"]).filter(isOurs(OUR_CONTAINERS));
  if (status === undefined || !containers.some(({ name }) => name === PROXY_CONTAINER)) return untouched;

  const probes = probesOf(containers);
  const isCurrent = status.revision === context.revision && status.version === context.version;
  const volumes = listOf(spec["volumes"]).filter(isOurs(OUR_VOLUMES));
  return {
    pod: {
      ...pod,
      metadata: withField(
        withField(metadata, "labels", without(fieldsOf(metadata["labels"]), [MESH_LABEL])),
        "annotations",
        restoreAnnotations(fieldsOf(metadata["annotations"]), status),
      ),
      spec: removeFrom(removeFrom(restoreSpec(spec, probes), "initContainers", OUR_CONTAINERS), "volumes", OUR_VOLUMES),
    },
    ours: isCurrent ? { containers, volumes } : untouched.ours,
  };
}

/**
 * What is to be there, kept as it stands where that says the same: the API server fills in defaults and other webhooks add to
 * it, and neither is to be undone. Settings of ours that are no longer wanted go.
 */
export function keepAdditions(present: unknown, wanted: unknown): unknown {
  if (present === wanted) return present;
  if (isFields(present) && isFields(wanted)) {
    const kept = { ...present };
    for (const [name, value] of Object.entries(wanted)) kept[name] = keepAdditions(present[name], value);
    return Object.keys(kept).every((name) => kept[name] === present[name]) ? present : kept;
  }
  if (Array.isArray(present) && Array.isArray(wanted)) return keepEntries(present, wanted);
  return wanted;
}

function keepEntries(present: readonly unknown[], wanted: readonly unknown[]): readonly unknown[] {
  const keyed = wanted.every((entry) => keyOf(entry) !== undefined);
  if (!keyed) return JSON.stringify(present) === JSON.stringify(wanted) ? present : wanted;
  const missing = new Map(wanted.map((entry) => [keyOf(entry), entry]));
  const kept = present.flatMap((entry) => {
    const key = keyOf(entry);
    const want = missing.get(key);
    missing.delete(key);
    if (want !== undefined) return [keepAdditions(entry, want)];
    return key !== undefined && (key.startsWith("HEDGEROW_") || isAuditMount(key)) ? [] : [entry];
  });
  const all = [...kept, ...missing.values()];
  return all.length === present.length && all.every((entry, index) => entry === present[index]) ? present : all;
}

/** What Kubernetes tells the entries of a container's lists by. */
function keyOf(entry: unknown): string | undefined {
  const { mountPath, name } = fieldsOf(entry);
  const key = mountPath ?? name;
  return typeof key === "string" ? key : undefined;
}

function readStatus(text: unknown): Status | undefined {
  const status = fieldsOf(parseJson(text));
  const { revision, version, replaced } = status;
  if (typeof revision !== "string" || typeof version !== "string") return undefined;
  const entries = Object.entries(fieldsOf(replaced)).filter(
    (entry): entry is [string, string | null] => typeof entry[1] === "string" || entry[1] === null,
  );
  return { revision, version, containers: [], volumes: [], replaced: Object.fromEntries(entries) };
}

function restoreAnnotations(annotations: Fields, { replaced }: Status): Fields {
  const restored = Object.entries(replaced).filter(([, value]) => value !== null);
  return {
    ...without(annotations, [STATUS_ANNOTATION, ...Object.keys(replaced)]),
    ...Object.fromEntries(restored),
  };
}

function restoreSpec(spec: Fields, probes: Fields): Fields {
  let restored = spec;
  for (const field of ["initContainers", "containers"]) {
    const before = listOf(restored[field]);
    const after = mapShared(before, (container) =>
      isOurs(OUR_CONTAINERS)(container) ? container : restoreProbes(container, probes),
    );
    if (after !== before) restored = { ...restored, [field]: after };
  }
  return restored;
}

function probesOf(containers: readonly Fields[]): Fields {
  const environment = listOf(containers.find(({ name }) => name === PROXY_CONTAINER)?.["env"]).map(fieldsOf);
  return fieldsOf(parseJson(environment.find(({ name }) => name === "HEDGEROW_PROBES")?.["value"]));
}

function parseJson(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Somebody else's, or damaged: as if it were not there.
    return undefined;
  }
}

function isOurs(names: readonly string[]): (entry: unknown) => entry is Fields {
  return (entry): entry is Fields =>
    isFields(entry) && typeof entry["name"] === "string" && names.includes(entry["name"]);
}

/** A list without the entries of these names; without the list where nothing is left. */
function removeFrom(spec: Fields, field: string, names: readonly string[]): Fields {
  const before = listOf(spec[field]);
  const after = before.filter((entry) => !isOurs(names)(entry));
  if (after.length === before.length) return spec;
  return after.length === 0 ? without(spec, [field]) : { ...spec, [field]: after };
}

/** With the mapping, or without it where it is empty. */
function withField(fields: Fields, name: string, value: Fields): Fields {
  return Object.keys(value).length === 0 ? without(fields, [name]) : { ...fields, [name]: value };
}
