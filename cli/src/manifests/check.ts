import { buildModel, type Finding, type Model } from "@hedgerow/control-plane";
import {
  fieldName,
  findCollisions,
  notesOn,
  objectKey,
  objectRef,
  type ParsedDocument,
  type Position,
  type Problem,
  parseFile,
  type SourceObject,
} from "@hedgerow/manifest";
import { comparePositions } from "../admin/status-view.ts";
import type { ManifestFile } from "./read.ts";

/** Something that may be meant so, as when the other half is in files that were not given. */
interface Warning {
  readonly position: Position;
  readonly field: string;
  /** CamelCase, as the condition's reason in the control plane. */
  readonly reason: string;
  readonly message: string;
}

interface Note {
  readonly position: Position;
  readonly field: string;
  readonly message: string;
}

export interface Checked {
  /** Valid, each key once. */
  readonly objects: readonly SourceObject[];
  /** In the order of their places. */
  readonly problems: readonly Problem[];
  /** In the order of their places. */
  readonly warnings: readonly Warning[];
  /** What is legal and unwise, in the order of places. */
  readonly notes: readonly Note[];
  /** By what they are called: documents that a mesh in a cluster does not read. */
  readonly notRead: ReadonlyMap<string, number>;
  /** True where a problem is only that a directory holds what a cluster may hold, too. */
  readonly isForACluster: boolean;
  /** The mesh that `objects` describe, with every workload ready. */
  readonly model: Model;
}

/** Stands in where no MeshConfig is given. */
export const PLACEHOLDER_TRUST_DOMAIN = "trust-domain.example";

/**
 * What the control plane would say of these files, if they were all that it had: a directory of manifests, or (`kubernetes`)
 * what is applied to a cluster, where it reads its own kinds and leaves the others alone.
 */
export function checkManifests(
  files: readonly ManifestFile[],
  { kubernetes = false }: { readonly kubernetes?: boolean } = {},
): Checked {
  const parsed = files.map(({ file, text }) => parseFile(file, text));
  const documents = parsed.flatMap((one) => one.documents);
  const others = kubernetes ? documents.filter((document) => isAnothers(document)) : [];
  const ours = new Set(documents).difference(new Set(others));
  const all = [...ours].flatMap(({ object }) => object ?? []);
  const collisions = findCollisions(all);
  const losers = new Set(collisions.map(({ object }) => object));
  const objects = all.filter((object) => !losers.has(object));
  const { findings, model } = buildModel({
    objects,
    ready: new Set(workloadIds(objects)),
    trustDomain: trustDomainOf(objects) ?? PLACEHOLDER_TRUST_DOMAIN,
    lastResolved: new Map(),
    cluster: undefined,
  });
  const problems = [
    ...[...ours].flatMap((document) => document.problems),
    ...parsed.flatMap((file) => file.problems),
    ...collisions.map(({ problem }) => problem),
  ];
  const called = Map.groupBy(others, ({ ref, foreign }) => foreign ?? ref?.kind ?? "");
  return {
    objects,
    problems: problems.toSorted(comparePositions),
    warnings: locate(findings, objects).toSorted(comparePositions),
    notes: objects.flatMap(notesOf).toSorted(comparePositions),
    isForACluster: [...ours].some(({ foreign }) => foreign !== undefined),
    notRead: new Map([...called].map(([name, { length }]) => [name, length])),
    model,
  };
}

/** Services are Kubernetes' own: of those in a cluster a mesh takes what it understands. */
function isAnothers({ foreign, ref, object }: ParsedDocument): boolean {
  return foreign !== undefined || (object === undefined && ref?.kind === "Service");
}

function notesOf(object: SourceObject): readonly Note[] {
  return notesOn(object.manifest).map(({ path, message }) => {
    const field = fieldName(path);
    return { position: object.positionOf(path), field, message: `${field} ${message}` };
  });
}

/** The node ids of all workloads. */
export function workloadIds(objects: readonly SourceObject[]): readonly string[] {
  const workloads = objects.map(({ manifest }) => manifest).filter(({ kind }) => kind === "Workload");
  return workloads.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort();
}

/** What the mesh's own configuration says; undefined when it is not among `objects`. */
export function trustDomainOf(objects: readonly SourceObject[]): string | undefined {
  const manifests = objects.map(({ manifest }) => manifest);
  return manifests.find((manifest) => manifest.kind === "MeshConfig")?.spec.trustDomain;
}

function locate(findings: readonly Finding[], objects: readonly SourceObject[]): readonly Warning[] {
  const byKey = new Map(objects.map((object) => [objectKey(objectRef(object.manifest)), object]));
  return findings.flatMap(({ object, path, reason, message }) => {
    const position = byKey.get(objectKey(object))?.positionOf(path);
    return position === undefined ? [] : [{ position, field: fieldName(path), reason, message }];
  });
}
