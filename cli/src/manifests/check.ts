import { buildModel, type Finding, type Model } from "@hedgerow/control-plane";
import {
  fieldName,
  findCollisions,
  objectKey,
  objectRef,
  type Position,
  type Problem,
  parseManifests,
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

export interface Checked {
  /** Valid, each key once. */
  readonly objects: readonly SourceObject[];
  /** In the order of their places. */
  readonly problems: readonly Problem[];
  /** In the order of their places. */
  readonly warnings: readonly Warning[];
  /** The mesh that `objects` describe, with every workload ready. */
  readonly model: Model;
}

/** Stands in where no MeshConfig is given. */
export const PLACEHOLDER_TRUST_DOMAIN = "trust-domain.example";

/** What the control plane would say of these files, if they were all that it had. */
export function checkManifests(files: readonly ManifestFile[]): Checked {
  const parsed = files.map(({ file, text }) => parseManifests(file, text));
  const all = parsed.flatMap(({ objects }) => objects);
  const collisions = findCollisions(all);
  const losers = new Set(collisions.map(({ object }) => object));
  const objects = all.filter((object) => !losers.has(object));
  const { findings, model } = buildModel({
    objects,
    cluster: undefined,
    ready: new Set(workloadIds(objects)),
    trustDomain: trustDomainOf(objects) ?? PLACEHOLDER_TRUST_DOMAIN,
    lastResolved: new Map(),
  });
  const problems = [...parsed.flatMap(({ problems }) => problems), ...collisions.map(({ problem }) => problem)];
  return {
    objects,
    problems: problems.toSorted(comparePositions),
    warnings: locate(findings, objects).toSorted(comparePositions),
    model,
  };
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
