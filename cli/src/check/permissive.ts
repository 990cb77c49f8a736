import type { ClusterFacts } from "./facts.ts";
import { labelOf, nameOf, textAt } from "./fields.ts";
import { type Finding, reporterOf, someOf } from "./finding.ts";
import { meshNamespaces } from "./injection.ts";

/** Namespaces of the mesh whose pods still take plain text. */
export function judgePermissive({ namespaces, meshConfigs }: ClusterFacts): readonly Finding[] {
  const { good, doubtful } = reporterOf("mtls");
  // That they could not be seen has been said.
  if (!namespaces.ok) return [];
  const names = new Set(meshNamespaces(namespaces.value));
  if (names.size === 0) return [];
  const mesh = textAt(meshConfigs.ok ? meshConfigs.value[0] : undefined, "spec", "mtls", "mode") ?? "permissive";
  const open = namespaces.value
    .filter(
      (namespace) => names.has(nameOf(namespace)) && (labelOf(namespace, "hedgerow.dev/mtls") ?? mesh) !== "strict",
    )
    .map(nameOf);
  return open.length === 0
    ? [good("every namespace of the mesh is strict: plain text is refused")]
    : [
        doubtful(
          `pods take plain text: ${someOf(open)}`,
          "when all their callers are in the mesh: kubectl label namespace NAME hedgerow.dev/mtls=strict",
        ),
      ];
}
