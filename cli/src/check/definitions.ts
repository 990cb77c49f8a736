import type { ClusterFacts } from "./facts.ts";
import { fieldAt, listAt, nameOf, sameJson, textAt } from "./fields.ts";
import { type Finding, reporterOf } from "./finding.ts";

const installGateway =
  "kubectl apply --server-side -f https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.3/standard-install.yaml";

/** Our own CustomResourceDefinitions, and the Gateway API's. */
export function judgeDefinitions({ definitions, expectedDefinitions }: ClusterFacts): readonly Finding[] {
  const { good, bad, doubtful, unseen } = reporterOf("definitions");
  if (!definitions.ok) return [unseen("custom resource definitions", definitions.why)];
  const present = new Map(definitions.value.map((definition) => [nameOf(definition), definition]));
  const ours = expectedDefinitions.flatMap((expected) => {
    const name = nameOf(expected);
    const definition = present.get(name);
    if (definition === undefined) return [bad(`${name} is not installed`, "kubectl apply -k manifests/crds")];
    if (!isEstablished(definition))
      return [bad(`${name} is not established: ${whyNot(definition)}`, `kubectl describe crd ${name}`)];
    return sameJson(essence(definition), essence(expected))
      ? []
      : [doubtful(`${name} is of another version than this command`, "kubectl apply -k manifests/crds")];
  });
  return [
    ...(ours.length === 0
      ? [good(`${expectedDefinitions.length} kinds of Hedgerow's are installed and current`)]
      : ours),
    ...judgeGateway(present.get("httproutes.gateway.networking.k8s.io")),
  ];
}

function judgeGateway(routes: unknown): readonly Finding[] {
  const { good, bad, doubtful } = reporterOf("gateway-api");
  if (routes === undefined)
    return [doubtful("the Gateway API is not installed: there are no HTTPRoutes, so no canaries", installGateway)];
  const served = listAt(routes, "spec", "versions").some(
    (version) => textAt(version, "name") === "v1" && fieldAt(version, "served") === true,
  );
  if (!served) return [bad("HTTPRoutes are not served as gateway.networking.k8s.io/v1", installGateway)];
  const bundle = textAt(routes, "metadata", "annotations", "gateway.networking.k8s.io/bundle-version");
  return [good(`Gateway API ${bundle ?? "of unknown version"}`)];
}

function isEstablished(definition: unknown): boolean {
  return conditions(definition).some(
    (condition) => textAt(condition, "type") === "Established" && textAt(condition, "status") === "True",
  );
}

function whyNot(definition: unknown): string {
  const bad = conditions(definition).find((condition) => textAt(condition, "status") === "False");
  return textAt(bad, "message") ?? "it says nothing";
}

function conditions(definition: unknown): readonly unknown[] {
  return listAt(definition, "status", "conditions");
}

/** What of a definition decides what is accepted and shown; an API server fills in the rest. */
function essence(definition: unknown): unknown {
  return listAt(definition, "spec", "versions").map((version) => [
    textAt(version, "name"),
    fieldAt(version, "schema"),
    fieldAt(version, "additionalPrinterColumns"),
    fieldAt(version, "subresources"),
  ]);
}
