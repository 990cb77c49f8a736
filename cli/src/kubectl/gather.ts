import type { X509Certificate } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { customResourceDefinitions } from "@hedgerow/manifest";
import type { ClusterFacts, Look, WebhookFacts } from "../check/facts.ts";
import { fieldAt, listAt, nameOf, textAt } from "../check/fields.ts";
import { meshNamespaces } from "../check/injection.ts";
import { CliError } from "../errors.ts";
import { cliVersion } from "../version.ts";
import { certificateFacts, readCaBundle } from "./certificates.ts";
import { complaintOf, type Kubectl } from "./kubectl.ts";
import { rehearseInjection, rehearseRefusal } from "./rehearse.ts";
import { lookAtServingCertificate } from "./serving-certificate.ts";

const SYSTEM = "--namespace=hedgerow-system";
/** The leader renews every 2 s. */
const LEASE_OLD_MS = 8_000;
const LEASE_WATCH_MS = 4_000;

/**
 * Looks at everything that is judged. Only reads, and has the API server try two objects without storing them. `now` gives
 * Unix ms. What can't be seen for lack of rights is said to be so.
 *
 * @throws CliError usage: no kubectl; unreachable: no API server, or it does not know who asks.
 */
export async function gatherFacts(kubectl: Kubectl, now: () => number): Promise<ClusterFacts> {
  const versions = await kubectl.json(["version"]);
  const serverVersion = versions.ok ? fieldAt(versions.value, "serverVersion") : undefined;
  if (serverVersion === undefined)
    throw new CliError("unreachable", `could not reach the cluster: ${versions.ok ? "no version" : versions.why}`);

  const [{ nowMs, serverTimeMs }, lease, namespaces, configurations] = await Promise.all([
    readServerTime(kubectl, now),
    kubectl.json(["get", "lease", "control-plane", SYSTEM, "--ignore-not-found"]),
    kubectl.items(["get", "namespaces", "--show-managed-fields"]),
    kubectl.items(["get", "mutatingwebhookconfigurations,validatingwebhookconfigurations"]),
  ]);
  const [deployment, endpointSlices, definitions, meshConfigs] = await Promise.all([
    kubectl.json(["get", "deployment", "control-plane", SYSTEM, "--ignore-not-found"]),
    kubectl.items(["get", "endpointslices", SYSTEM, "--selector=kubernetes.io/service-name=control-plane"]),
    kubectl.items(["get", "customresourcedefinitions"]),
    kubectl.items(["get", "meshconfigs.hedgerow.dev", "--all-namespaces"]),
  ]);
  const inMesh = namespaces.ok ? meshNamespaces(namespaces.value) : [];
  const [meshPods, otherPods, refusal, injection] = await Promise.all([
    kubectl.items(["get", "pods", "--all-namespaces", "--selector=hedgerow.dev/mesh=true"]),
    readOtherPods(kubectl, inMesh),
    rehearseRefusal(kubectl),
    rehearseInjection(kubectl),
  ]);
  const { webhooks, roots } = readWebhooks(configurations);
  return {
    nowMs,
    serverTimeMs,
    serverVersion,
    cliVersion: cliVersion(),
    expectedDefinitions: customResourceDefinitions(),
    definitions,
    webhooks,
    deployment,
    endpointSlices,
    lease,
    leaseMoved: await watchLease(kubectl, lease, serverTimeMs.ok ? serverTimeMs.value : nowMs),
    meshConfigs,
    namespaces,
    meshPods,
    otherPods,
    refusal,
    injection,
    servingCertificate:
      deployment.ok && deployment.value !== undefined
        ? await lookAtServingCertificate(kubectl, roots)
        : { ok: false, why: "there is no control plane" },
  };
}

/** kubectl shows an answer's headers only when it is asked to be chatty. */
async function readServerTime(
  kubectl: Kubectl,
  now: () => number,
): Promise<Pick<ClusterFacts, "nowMs" | "serverTimeMs">> {
  const { code, stderr } = await kubectl.run(["get", "--raw", "/version", "-v=8"]);
  const nowMs = now();
  const [, date] = /\bDate: (\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT)/.exec(stderr) ?? [];
  if (date !== undefined) return { nowMs, serverTimeMs: { ok: true, value: Date.parse(date) } };
  return { nowMs, serverTimeMs: { ok: false, why: code === 0 ? "kubectl shows no Date" : complaintOf(stderr) } };
}

async function watchLease(kubectl: Kubectl, lease: Look<unknown>, serverMs: number): Promise<boolean | undefined> {
  const renewed = (look: Look<unknown>) => (look.ok ? textAt(look.value, "spec", "renewTime") : undefined);
  const before = renewed(lease);
  if (before === undefined || Math.abs(serverMs - Date.parse(before)) <= LEASE_OLD_MS) return undefined;
  await pause(LEASE_WATCH_MS);
  return renewed(await kubectl.json(["get", "lease", "control-plane", SYSTEM, "--ignore-not-found"])) !== before;
}

async function readOtherPods(kubectl: Kubectl, namespaces: readonly string[]): Promise<Look<readonly unknown[]>> {
  const pods: unknown[] = [];
  for (const namespace of namespaces) {
    const look = await kubectl.items(["get", "pods", `--namespace=${namespace}`, "--selector=hedgerow.dev/mesh!=true"]);
    if (!look.ok) return look;
    pods.push(...look.value);
  }
  return { ok: true, value: pods };
}

function readWebhooks(configurations: Look<readonly unknown[]>): {
  readonly webhooks: Look<readonly WebhookFacts[]>;
  readonly roots: readonly X509Certificate[];
} {
  if (!configurations.ok) return { webhooks: configurations, roots: [] };
  const roots = new Map<string, X509Certificate>();
  const webhooks = configurations.value
    .filter((configuration) => nameOf(configuration).startsWith("hedgerow-"))
    .flatMap((configuration) =>
      listAt(configuration, "webhooks").map((webhook): WebhookFacts => {
        const bundle = readCaBundle(fieldAt(webhook, "clientConfig", "caBundle"));
        if (bundle.ok) for (const root of bundle.value) roots.set(root.fingerprint256, root);
        const [namespace, name] = ["namespace", "name"].map((field) =>
          textAt(webhook, "clientConfig", "service", field),
        );
        return {
          name: `${nameOf(configuration)}: ${textAt(webhook, "name") ?? ""}`,
          kind:
            textAt(configuration, "kind") === "MutatingWebhookConfiguration"
              ? "MutatingWebhookConfiguration"
              : "ValidatingWebhookConfiguration",
          failurePolicy: textAt(webhook, "failurePolicy") ?? "",
          service: namespace === undefined || name === undefined ? undefined : { namespace, name },
          roots: bundle.ok ? { ok: true, value: bundle.value.map(certificateFacts) } : bundle,
        };
      }),
    );
  return { webhooks: { ok: true, value: webhooks }, roots: [...roots.values()] };
}
