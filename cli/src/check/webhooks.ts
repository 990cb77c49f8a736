import { count } from "../screen/count.ts";
import type { CertificateFacts, ClusterFacts, WebhookFacts } from "./facts.ts";
import { labelOf, listAt, textAt } from "./fields.ts";
import { type Finding, reporterOf, someOf } from "./finding.ts";

const kinds = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] as const;
const reinstall = "kubectl apply -k manifests/base";
const askControlPlane = "kubectl logs -n hedgerow-system deployment/control-plane";

/** Whether the API server has our webhooks, trusts them, reaches them, and what it does when it can't. */
export function judgeWebhooks(facts: ClusterFacts): readonly Finding[] {
  const { webhooks } = facts;
  const { unseen } = reporterOf("webhooks");
  if (!webhooks.ok) return [unseen("webhook configurations", webhooks.why)];
  const configured = kinds.flatMap((kind) =>
    judgeConfiguration(
      kind,
      webhooks.value.filter((one) => one.kind === kind),
    ),
  );
  return [...configured, ...judgeRefusal(facts), ...judgeInjection(facts)];
}

function judgeConfiguration(kind: (typeof kinds)[number], webhooks: readonly WebhookFacts[]): readonly Finding[] {
  const { good, bad, doubtful } = reporterOf("webhooks");
  const what = kind === "MutatingWebhookConfiguration" ? "injection" : "validation";
  if (webhooks.length === 0) return [bad(`there is no ${kind} of Hedgerow's: no ${what}`, reinstall)];
  const untrusted = webhooks.flatMap(({ name, roots }) => (roots.ok ? [] : [`${name} (${roots.why})`]));
  const astray = webhooks.filter(
    ({ service }) => service?.name !== "control-plane" || service.namespace !== "hedgerow-system",
  );
  const open = webhooks.filter(({ name, failurePolicy }) => failurePolicy !== "Fail" && !isMeantOpen(name));
  const findings = [
    ...(untrusted.length === 0
      ? []
      : [bad(`no usable caBundle: ${someOf(untrusted)}`, `the control plane writes it: ${askControlPlane}`)]),
    ...(astray.length === 0
      ? []
      : [
          bad(`not led to Service hedgerow-system/control-plane: ${someOf(astray.map(({ name }) => name))}`, reinstall),
        ]),
    ...(open.length === 0
      ? []
      : [
          doubtful(
            `failurePolicy is not Fail: ${someOf(open.map(({ name }) => name))}`,
            `what is not asked about is let through while the webhook is away: ${reinstall}`,
          ),
        ]),
  ];
  return findings.length > 0 ? findings : [good(`${count(webhooks.length, "webhook")} for ${what}, with a CA`)];
}

/** Those that ship with Ignore: the first MeshConfig comes before the webhook has a certificate; deletions are only recorded. */
function isMeantOpen(name: string): boolean {
  return /: (meshconfig|deletion)\.validate\.hedgerow\.dev$/.test(name);
}

function judgeRefusal({ refusal }: ClusterFacts): readonly Finding[] {
  const { good, bad, unseen } = reporterOf("validation");
  if (!refusal.ok) return [unseen("validation at work", refusal.why)];
  const { accepted, words } = refusal.value;
  // That the kind is not installed has been said.
  if (/no matches for kind/.test(words)) return [];
  if (!accepted && /admission webhook "[^"]*hedgerow\.dev" denied/.test(words))
    return [good("the API server reaches the validating webhook")];
  if (accepted)
    return [bad("an AccessPolicy with a mistake in it was let through", `no webhook was asked: ${reinstall}`)];
  return /failed calling webhook/.test(words)
    ? [bad(`the API server does not reach the validating webhook: ${causeOf(words)}`, askControlPlane)]
    : [unseen("validation at work", causeOf(words))];
}

function judgeInjection({ injection }: ClusterFacts): readonly Finding[] {
  const { good, bad, unseen } = reporterOf("injection-webhook");
  if (!injection.ok) return [unseen("injection at work", injection.why)];
  const { accepted, object, words } = injection.value;
  if (accepted)
    return labelOf(object, "hedgerow.dev/mesh") === "true" && hasProxy(object)
      ? [good("a pod that asks for a sidecar gets one")]
      : [bad("a pod that asks for a sidecar gets none", `no webhook was asked: ${reinstall}`)];
  return /failed calling webhook "[^"]*hedgerow\.dev"/.test(words)
    ? [bad(`the API server does not reach the injecting webhook: ${causeOf(words)}`, askControlPlane)]
    : [unseen("injection at work", causeOf(words))];
}

function hasProxy(pod: unknown): boolean {
  return listAt(pod, "spec", "initContainers").some((container) => textAt(container, "name") === "hedgerow-proxy");
}

/** The end of a chain of errors says most. */
function causeOf(words: string): string {
  const maxCharacters = 200;
  const line = words.split("\n").find((text) => text.trim() !== "") ?? "it says nothing";
  const cause = line
    .replace(/^.*failed calling webhook "[^"]*": failed to call webhook: /, "")
    .replace(/^(error: |Error from server \(\w+\): )+(error when creating "[^"]*": )?/, "");
  return cause.length > maxCharacters ? `${cause.slice(0, maxCharacters)}…` : cause;
}

/** Every root that the API server would trust us by, each once. */
export function rootsOf({ webhooks }: ClusterFacts): readonly CertificateFacts[] {
  const all = webhooks.ok ? webhooks.value.flatMap(({ roots }) => (roots.ok ? roots.value : [])) : [];
  return [...new Map(all.map((root) => [root.digest, root])).values()];
}
