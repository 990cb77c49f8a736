import type { ClusterFacts } from "./facts.ts";
import { fieldAt, fieldsOf, labelOf, listAt, nameOf, textAt } from "./fields.ts";
import { type Finding, reporterOf, someOf } from "./finding.ts";
import { injectedBy } from "./versions.ts";

const injectionLabel = "hedgerow.dev/injection";
const revisionLabel = "hedgerow.dev/revision";

/** The revision whose sidecars a namespace's pods get; undefined: none. */
function revisionOf(namespace: unknown): string | undefined {
  const injection = labelOf(namespace, injectionLabel);
  if (injection === "disabled") return undefined;
  return labelOf(namespace, revisionLabel) ?? (injection === "enabled" ? "default" : undefined);
}

/** Names of the namespaces that a label brings into the mesh. */
export function meshNamespaces(namespaces: readonly unknown[]): readonly string[] {
  return namespaces.filter((namespace) => revisionOf(namespace) !== undefined).map(nameOf);
}

const values: readonly (readonly [label: string, known: readonly string[]])[] = [
  [injectionLabel, ["enabled", "disabled"]],
  ["hedgerow.dev/mtls", ["strict", "permissive"]],
];

/** Labels of namespaces that mean nothing: a slip of the pen leaves a namespace outside, or in plain text, without a word. */
export function judgeLabels({ namespaces }: ClusterFacts): readonly Finding[] {
  const { doubtful } = reporterOf("labels");
  if (!namespaces.ok) return [];
  return namespaces.value.flatMap((namespace) =>
    values.flatMap(([label, known]) => {
      const value = labelOf(namespace, label);
      if (value === undefined || known.includes(value)) return [];
      const message = `namespace ${nameOf(namespace)} has label ${label}=${value}, which counts as absent`;
      return [
        doubtful(message, `kubectl label namespace ${nameOf(namespace)} --overwrite ${label}=${known.join("|")}`),
      ];
    }),
  );
}

/** Which namespaces are in the mesh, which of their pods are not and why, and what an injector of another revision made. */
export function judgeInjected(facts: ClusterFacts): readonly Finding[] {
  const { namespaces, meshPods, otherPods } = facts;
  const { good, doubtful, unseen } = reporterOf("injection");
  if (!namespaces.ok) return [unseen("namespaces", namespaces.why)];
  const inMesh = new Map(
    namespaces.value.filter((one) => revisionOf(one) !== undefined).map((one) => [nameOf(one), one]),
  );
  if (inMesh.size === 0)
    return [
      doubtful(
        "no namespace is in the mesh",
        `kubectl label namespace NAME ${injectionLabel}=enabled, then restart its pods`,
      ),
    ];
  const summary = good(`${inMesh.size === 1 ? "namespace" : "namespaces"} ${someOf([...inMesh.keys()])} in the mesh`);
  if (!otherPods.ok) return [summary, unseen("pods without a sidecar", otherPods.why)];
  const lacking = otherPods.value
    .filter((pod) => isRunning(pod))
    .map((pod) => ({ pod: nameOf(pod), why: whyNone(pod, inMesh.get(textAt(pod, "metadata", "namespace") ?? "")) }));
  const byReason = [...Map.groupBy(lacking, ({ why }) => why)];
  return [
    summary,
    ...byReason.map(([why, pods]) => reasonOf(why, pods.map(({ pod }) => pod).toSorted())),
    ...judgeRevisions(meshPods.ok ? meshPods.value : [], inMesh),
  ];
}

type Reason = "host network" | "opted out" | "older" | "missed";

function whyNone(pod: unknown, namespace: unknown): Reason {
  if (fieldAt(pod, "spec", "hostNetwork") === true) return "host network";
  if (labelOf(pod, "hedgerow.dev/inject") === "false") return "opted out";
  const labelled = labelledMs(namespace);
  const created = Date.parse(textAt(pod, "metadata", "creationTimestamp") ?? "");
  // The API server writes whole seconds.
  return labelled !== undefined && created <= labelled ? "older" : "missed";
}

function reasonOf(why: Reason, pods: readonly string[]): Finding {
  const { good, bad, doubtful } = reporterOf("injection");
  const some = someOf(pods);
  switch (why) {
    case "opted out":
      return good(`without a sidecar by their own label: ${some}`);
    case "host network":
      return doubtful(
        `without a sidecar, for they use the host's network: ${some}`,
        'they are outside the mesh; label them hedgerow.dev/inject: "false" to say so',
      );
    case "older":
      return doubtful(
        `without a sidecar, for they are older than the namespace's label: ${some}`,
        "kubectl rollout restart what owns them",
      );
    case "missed":
      return bad(
        `without a sidecar, though created under the label: ${some}`,
        "the webhook was not asked: see webhooks above; then restart what owns them",
      );
  }
}

function judgeRevisions(pods: readonly unknown[], inMesh: ReadonlyMap<string, unknown>): readonly Finding[] {
  const { doubtful } = reporterOf("revision");
  const others = pods.flatMap((pod) => {
    const wanted = revisionOf(inMesh.get(textAt(pod, "metadata", "namespace") ?? ""));
    const revision = injectedBy(pod)?.revision;
    return wanted === undefined || revision === undefined || revision === wanted
      ? []
      : [{ pod: nameOf(pod), revision, wanted }];
  });
  return [
    ...Map.groupBy(others, ({ revision, wanted }) => `of revision ${revision} where the namespace says ${wanted}`),
  ].map(([what, found]) =>
    doubtful(
      `sidecars ${what}: ${someOf(found.map(({ pod }) => pod).toSorted())}`,
      "kubectl rollout restart what owns them",
    ),
  );
}

function isRunning(pod: unknown): boolean {
  const phase = textAt(pod, "status", "phase");
  return phase !== "Succeeded" && phase !== "Failed" && textAt(pod, "metadata", "deletionTimestamp") === undefined;
}

/** When somebody last wrote the labels that bring a namespace into the mesh, Unix ms. */
function labelledMs(namespace: unknown): number | undefined {
  const times = listAt(namespace, "metadata", "managedFields")
    .filter((entry) => {
      const labels = fieldsOf(fieldAt(entry, "fieldsV1", "f:metadata", "f:labels"));
      return `f:${injectionLabel}` in labels || `f:${revisionLabel}` in labels;
    })
    .map((entry) => Date.parse(textAt(entry, "time") ?? ""))
    .filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : Math.max(...times);
}
