import { readSettings } from "./annotations.ts";
import { mergeAppMetrics } from "./app-metrics.ts";
import { readAuditStorage } from "./audit-storage.ts";
import type { InjectionContext } from "./context.ts";
import { diff, type PatchOperation } from "./json-patch.ts";
import { INJECT_LABEL, MESH_LABEL, OUR_CONTAINERS, STATUS_ANNOTATION } from "./names.ts";
import { obstaclesOf } from "./obstacles.ts";
import { type AppProbes, rewriteProbes } from "./probes.ts";
import { type PodProblem, problemText } from "./problem.ts";
import { type Fields, fieldsOf, isFields, listOf, mapShared, textOf, textsOf } from "./shape.ts";
import { inEnvironment, initContainer, proxyContainer, volumes } from "./sidecar.ts";
import { keepAdditions, originalOf, type Status } from "./status.ts";
import { warningsOf } from "./warnings.ts";

export type Injection =
  | {
      readonly kind: "patch";
      /** The pod with its sidecar. */
      readonly pod: Fields;
      /** What makes it of the pod that was given; none where that had all of it. */
      readonly operations: readonly PatchOperation[];
      /** What is legal and perhaps not meant. */
      readonly warnings: readonly string[];
    }
  | { readonly kind: "skip"; readonly reason: string }
  | { readonly kind: "refuse"; readonly reason: string; readonly problems: readonly PodProblem[] };

/** Kubelet's own copies of what its files say: changing one changes nothing. */
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
/** execve(2) takes 128 KiB for a variable, its name included. */
const MAX_VARIABLE_BYTES = 120_000;
/** Of all annotations of an object, names included: the API server takes no more. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

/**
 * Puts the sidecar into a pod, or into a pod template. The pod is whatever JSON or YAML held; it is not changed, and nothing is
 * ever thrown. Idempotent: a pod that has this injector's sidecar is left as it is, one of another version's gets this one.
 * Whether its namespace asked for it is for the caller to know (the API server, by the webhook's selectors); the pod's own
 * label may still decline.
 */
export function injectPod(pod: unknown, context: InjectionContext): Injection {
  if (!isFields(pod) || !isFields(pod["spec"]))
    return refuse([{ path: isFields(pod) ? ["spec"] : [], message: "must be a mapping: this is no pod" }]);
  const original = originalOf(pod, context);
  const metadata = fieldsOf(original.pod["metadata"]);
  const spec = fieldsOf(original.pod["spec"]);
  const annotations = textsOf(metadata["annotations"]);

  const wish = fieldsOf(metadata["labels"])[INJECT_LABEL];
  if (wish === "false") return { kind: "skip", reason: `the pod is labelled ${INJECT_LABEL}: "false"` };
  if (annotations[MIRROR_ANNOTATION] !== undefined)
    return { kind: "skip", reason: "it is the mirror of a static pod, which only kubelet's own file changes" };

  const problems = [...obstaclesOf(spec, context)];
  if (wish !== undefined && wish !== "true")
    problems.push({ path: ["metadata", "labels", INJECT_LABEL], message: 'must be "true" or "false"' });
  const { settings, problems: annotationProblems } = readSettings(annotations, ["metadata", "annotations"]);
  const audit = readAuditStorage(annotations, spec);
  problems.push(...annotationProblems, ...audit.problems);
  const ownResources = (spec["resources"] ?? null) === null;
  if (!ownResources)
    for (const name of settings.resourceAnnotations)
      problems.push({
        path: ["metadata", "annotations", name],
        message: "must not be set beside spec.resources, from which the proxy takes its share: raise those instead",
      });

  const rewritten = rewriteSpec(spec);
  problems.push(...rewritten.problems);
  if (inEnvironment(rewritten.probes).length > MAX_VARIABLE_BYTES)
    problems.push({ path: ["spec"], message: `must describe its probes in at most ${MAX_VARIABLE_BYTES} bytes` });
  if (problems.length > 0) return refuse(problems);

  const metrics = mergeAppMetrics(annotations, listOf(spec["containers"]));
  const probes = rewritten.probes;
  const injected = { context, settings, audit: audit.storage, probes, appMetricsUrl: metrics.url, ownResources };
  const ourVolumes = volumes(audit.storage);
  const status: Status = {
    revision: context.revision,
    version: context.version,
    containers: OUR_CONTAINERS,
    volumes: ourVolumes.flatMap(({ name }) => textOf(name) ?? []),
    replaced: Object.fromEntries(Object.keys(metrics.annotations).map((name) => [name, annotations[name] ?? null])),
  };
  const before = fieldsOf(metadata["annotations"]);
  const after = { ...before, ...metrics.annotations, [STATUS_ANNOTATION]: JSON.stringify(status) };
  const spareBytes = MAX_ANNOTATION_BYTES - bytesOf(textsOf(before));
  if (spareBytes >= 0 && bytesOf(textsOf(after)) > MAX_ANNOTATION_BYTES) {
    const message = `must leave room for the sidecar's own: ${bytesOf(textsOf(after)) - MAX_ANNOTATION_BYTES} bytes fewer`;
    return refuse([{ path: ["metadata", "annotations"], message }]);
  }
  const patched: Fields = {
    ...original.pod,
    metadata: { ...metadata, labels: { ...fieldsOf(metadata["labels"]), [MESH_LABEL]: "true" }, annotations: after },
    spec: {
      ...rewritten.spec,
      initContainers: [
        ...kept([initContainer(injected), proxyContainer(injected)], original.ours.containers),
        ...listOf(rewritten.spec["initContainers"]),
      ],
      volumes: [...listOf(rewritten.spec["volumes"]), ...kept(ourVolumes, original.ours.volumes)],
    },
  };
  const warnings = warningsOf({ spec, annotations, settings, unresolved: rewritten.unresolved });
  warnings.push(...audit.warnings);
  if (metrics.warning !== undefined) warnings.push(metrics.warning);
  return { kind: "patch", pod: patched, operations: diff(pod, patched), warnings };
}

function refuse(problems: readonly PodProblem[]): Injection {
  return { kind: "refuse", reason: problemText(problems), problems };
}

function rewriteSpec(spec: Fields) {
  let probes: AppProbes = {};
  let rewritten = spec;
  const problems: PodProblem[] = [];
  const unresolved: PodProblem["path"][] = [];
  for (const field of ["initContainers", "containers"]) {
    const before = listOf(spec[field]);
    const after = mapShared(before, (container, index) => {
      const one = rewriteProbes(container, ["spec", field, index]);
      probes = { ...probes, ...one.probes };
      problems.push(...one.problems);
      unresolved.push(...one.unresolved);
      return one.container;
    });
    if (after !== before) rewritten = { ...rewritten, [field]: after };
  }
  return { spec: rewritten, probes, problems, unresolved };
}

function kept(wanted: readonly Fields[], present: readonly Fields[]): readonly unknown[] {
  return wanted.map((one) =>
    keepAdditions(
      present.find(({ name }) => name === one["name"]),
      one,
    ),
  );
}

function bytesOf(annotations: Readonly<Record<string, string>>): number {
  const encoder = new TextEncoder();
  return Object.entries(annotations).reduce((sum, pair) => sum + encoder.encode(pair.join("")).length, 0);
}
