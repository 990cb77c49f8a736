// From a pod's service-account token to its identity: TokenReview says which pod, the pod says the rest.
import { z } from "zod";
import type { Attestation } from "../ca/attestation.ts";
import type { WorkloadIdentity } from "../ca/names.ts";
import { hopelessServiceAccountToken } from "../ca/service-account-token.ts";
import { TOKEN_AUDIENCE } from "../ca/token.ts";
import { REGION_LABEL } from "../cluster/read-metadata.ts";
import type { MeshPod } from "../cluster/state.ts";
import { messageOf } from "../errors.ts";
import { MESH_LABEL } from "../inject/names.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { type KubernetesClient, KubernetesError } from "./client.ts";
import { Turnstile } from "./turnstile.ts";

/** An agent waits 10 s for its SVID. */
const REQUEST_MS = 4_000;
const QUEUE = { width: 16, queue: 1_000 };
const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";

const review = z.looseObject({
  status: z.looseObject({
    authenticated: z.boolean().default(false),
    error: z.string().default(""),
    audiences: z.array(z.string()).default([]),
    user: z
      .looseObject({ username: z.string().default(""), extra: z.record(z.string(), z.array(z.string())).default({}) })
      .default({ username: "", extra: {} }),
  }),
});
const livePod = z.looseObject({
  metadata: z.looseObject({ uid: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: z.looseObject({ serviceAccountName: z.string().default("default"), nodeName: z.string().optional() }),
  status: z.looseObject({ phase: z.string().default("") }).default({ phase: "" }),
});
const liveNode = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).default({}) }),
});

/** The pod that a token is bound to, as the API server vouches for it. */
interface ReviewedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

export interface PodAttestorDeps {
  readonly client: Pick<KubernetesClient, "request">;
  /** The pod as the view has it. */
  readonly pod: (nodeId: NodeId) => MeshPod | undefined;
  /** Unix ms. */
  readonly now: () => number;
}

/**
 * Asks anew at every call: nothing is remembered, so a token that was revoked is refused at once. At most 16 questions are
 * under way and a thousand wait; beyond that the answer is "unavailable". What can't be right is refused without asking.
 */
export class PodAttestor {
  readonly #deps: PodAttestorDeps;
  readonly #turnstile = new Turnstile(QUEUE);

  constructor(deps: PodAttestorDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  async attest(token: string): Promise<Attestation> {
    const hopeless = hopelessServiceAccountToken(token, this.#deps.now());
    if (hopeless !== undefined) return { kind: "refused", cause: hopeless };
    try {
      const answer = await this.#turnstile.run(() => this.#attest(token));
      return answer ?? { kind: "unavailable", cause: "too many pods enrol at once" };
    } catch (error) {
      return { kind: "unavailable", cause: messageOf(error) };
    }
  }

  async #attest(token: string): Promise<Attestation> {
    const reviewed = await this.#review(token);
    if (typeof reviewed === "string") return { kind: "refused", cause: reviewed };
    const { namespace, name, uid, serviceAccount } = reviewed;
    const nodeId = `${namespace}/${name}`;
    const known = this.#deps.pod(nodeId);
    // The view may be behind: it may hold the pod before this one, or this one before it had its node.
    const isKnown = known?.uid === uid && known.serviceAccount === serviceAccount && known.nodeName !== undefined;
    if (isKnown) return { kind: "attested", identity: { nodeId, serviceAccount, region: known.region } };
    const found = await this.#live(reviewed);
    return typeof found === "string" ? { kind: "gone", details: found } : { kind: "attested", identity: found };
  }

  /** Why not, or the pod. */
  async #review(token: string): Promise<string | ReviewedPod> {
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, audiences: [TOKEN_AUDIENCE] },
    };
    const path = "/apis/authentication.k8s.io/v1/tokenreviews";
    const { status } = review.parse(await this.#request("POST", path, body));
    if (!status.authenticated) return `the API server refuses the token: ${status.error}`;
    // An API server that knows nothing of audiences would let every token through.
    if (!status.audiences.includes(TOKEN_AUDIENCE)) return "the API server does not confirm the audience";
    const [, namespace, serviceAccount] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(status.user.username) ?? [];
    const name = status.user.extra[POD_NAME]?.[0];
    const uid = status.user.extra[POD_UID]?.[0];
    if (namespace === undefined || serviceAccount === undefined) return "the token is no service account's";
    if (name === undefined || uid === undefined) return "the token is not bound to a pod";
    return { namespace, name, uid, serviceAccount };
  }

  /** Why not, or who it is. */
  async #live({ namespace, name, uid, serviceAccount }: ReviewedPod): Promise<string | WorkloadIdentity> {
    const nodeId = `${namespace}/${name}`;
    const answer = await this.#get(`/api/v1/namespaces/${namespace}/pods/${name}`);
    if (answer === undefined) return `there is no pod ${nodeId}`;
    const { metadata, spec, status } = livePod.parse(answer);
    if (metadata.uid !== uid) return `pod ${nodeId} is another one now`;
    if (spec.serviceAccountName !== serviceAccount) return `pod ${nodeId} runs as another service account`;
    if (status.phase === "Succeeded" || status.phase === "Failed") return `pod ${nodeId} is finished`;
    if (metadata.labels[MESH_LABEL] !== "true") return `pod ${nodeId} has no sidecar (label ${MESH_LABEL})`;
    if (spec.nodeName === undefined) return `pod ${nodeId} is not on a node yet`;
    const node = await this.#get(`/api/v1/nodes/${spec.nodeName}`);
    if (node === undefined) return `the node of pod ${nodeId} is gone`;
    return { nodeId, serviceAccount, region: liveNode.parse(node).metadata.labels[REGION_LABEL] };
  }

  async #get(path: string): Promise<unknown> {
    try {
      return await this.#request("GET", path);
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404) return undefined;
      throw error;
    }
  }

  #request(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
    return this.#deps.client.request(method, path, {
      timeoutMs: REQUEST_MS,
      ...(body === undefined ? {} : { body }),
    });
  }
}
