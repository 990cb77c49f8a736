import type { Look, Rehearsal } from "../check/facts.ts";
import { complaintOf, type Kubectl } from "./kubectl.ts";

/** Valid but for a field that only the webhook knows to be none. */
const mistaken = {
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "AccessPolicy",
  metadata: { name: "hedgerow-check", namespace: "hedgerow-system" },
  spec: { targetRefs: [{ kind: "Service", name: "hedgerow-check" }], allow: [], mistake: "on purpose" },
};

/** As strict as a namespace may ask; what the injector adds is not its own. */
const askingForSidecar = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "hedgerow-check", namespace: "default", labels: { "hedgerow.dev/inject": "true" } },
  spec: {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "nothing",
        image: "hedgerow.dev/nothing",
        resources: { requests: { cpu: "1m", memory: "1Mi" }, limits: { cpu: "1m", memory: "1Mi" } },
        securityContext: { runAsUser: 65532, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
};

/** Has the API server try a policy that our webhook must refuse. Nothing is stored. */
export function rehearseRefusal(kubectl: Kubectl): Promise<Look<Rehearsal>> {
  return rehearse(kubectl, mistaken);
}

/** Has the API server try a pod that asks for a sidecar. Nothing is stored. */
export function rehearseInjection(kubectl: Kubectl): Promise<Look<Rehearsal>> {
  return rehearse(kubectl, askingForSidecar);
}

async function rehearse(kubectl: Kubectl, object: unknown): Promise<Look<Rehearsal>> {
  const { code, stdout, stderr } = await kubectl.run(
    ["create", "--dry-run=server", "-o", "json", "-f", "-"],
    JSON.stringify(object),
  );
  if (/\(Forbidden\).* cannot create /.test(stderr)) return { ok: false, why: complaintOf(stderr) };
  if (code !== 0) return { ok: true, value: { accepted: false, object: undefined, words: stderr } };
  try {
    const answer: unknown = JSON.parse(stdout);
    return { ok: true, value: { accepted: true, object: answer, words: stderr } };
  } catch {
    return { ok: false, why: "kubectl printed no JSON" };
  }
}
