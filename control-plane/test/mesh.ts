// Manifests to a snapshot, as the control plane does it, for tests.
import { readFileSync } from "node:fs";
import { findCollisions, parseManifests, type SourceObject } from "@hedgerow/manifest";
import { buildModel, type ModelInput, type ModelResult } from "../src/model/build.ts";
import type { NodeId, ProxySnapshot } from "../src/snapshot/snapshot.ts";
import { translate } from "../src/translate/translate.ts";

export const TRUST_DOMAIN = "bank.ae";

export interface BuildOptions {
  /** Default: every workload. */
  readonly ready?: ReadonlySet<string>;
  readonly lastResolved?: ModelResult["resolved"];
  /** Default: none. */
  readonly cluster?: ModelInput["cluster"];
}

/** The objects of a YAML text; throws where anything is wrong with it. */
export function parse(yaml: string, file = "test.yaml"): readonly SourceObject[] {
  const { objects, problems } = parseManifests(file, yaml);
  const wrong = [...problems, ...findCollisions(objects).map(({ problem }) => problem)];
  if (wrong.length > 0) throw new Error(JSON.stringify(wrong, undefined, 2));
  return objects;
}

export function build(
  objects: readonly SourceObject[],
  options: BuildOptions = {},
): ModelResult & { snapshot: ReadonlyMap<NodeId, ProxySnapshot> } {
  const ready =
    options.ready ??
    new Set(
      objects.flatMap(({ manifest }) =>
        manifest.kind === "Workload" ? [`${manifest.metadata.namespace}/${manifest.metadata.name}`] : [],
      ),
    );
  const result = buildModel({
    objects,
    cluster: options.cluster,
    ready,
    trustDomain: TRUST_DOMAIN,
    lastResolved: options.lastResolved ?? new Map(),
  });
  return { ...result, snapshot: translate(result.model) };
}

export function readExample(path: string): readonly SourceObject[] {
  return parse(readFileSync(path, "utf8"), path);
}
