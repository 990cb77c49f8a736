import { randomUUID } from "node:crypto";
import { Agent, request } from "node:https";

/** Sends AdmissionReviews as an API server does: over kept connections, with the certificate verified by the Service's name. */
export class WebhookCaller implements Disposable {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(port: number, ca: string) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 16, ca, servername: "control-plane.hedgerow-system.svc" });
  }

  /** Milliseconds from the request to the whole answer, which must be a patch. */
  async inject(namespace: string, pod: unknown): Promise<number> {
    const uid = randomUUID();
    const body = JSON.stringify({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      request: {
        uid,
        kind: { group: "", version: "v1", kind: "Pod" },
        resource: { group: "", version: "v1", resource: "pods" },
        operation: "CREATE",
        namespace,
        userInfo: { username: "system:serviceaccount:kube-system:replicaset-controller" },
        object: pod,
        dryRun: false,
      },
    });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const startedAt = performance.now();
    const headers = { "content-type": "application/json" };
    const to = { host: "127.0.0.1", port: this.#port, path: "/inject", method: "POST", agent: this.#agent, headers };
    const sent = request(to, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", reject);
      answer.once("end", () => resolve(Buffer.concat(chunks).toString()));
    });
    sent.once("error", reject);
    sent.end(body);
    const text = await promise;
    const tookMs = performance.now() - startedAt;
    if (!text.includes('"patch"') || !text.includes(uid))
      throw new Error(`the webhook did not patch: ${text.slice(0, 300)}`);
    return tookMs;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
