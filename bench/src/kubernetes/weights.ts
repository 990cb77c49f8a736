import { until } from "@hedgerow/e2e";
import { type Summary, summarize } from "../quantiles.ts";
import type { Cluster } from "./cluster.ts";
import { weightsInForce } from "./envoy-admin.ts";

const waitMs = 120_000;
const path = "/apis/gateway.networking.k8s.io/v1/namespaces/team-0/httproutes";

function canary(first: number, second: number) {
  const backendRefs = [first, second].map((weight, index) => ({ name: `svc-${index}`, port: 80, weight }));
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "svc-0", namespace: "team-0" },
    spec: { parentRefs: [{ group: "", kind: "Service", name: "svc-0" }], rules: [{ backendRefs }] },
  };
}

/** Weights of a canary, written over and over, and looked for in the Envoy that has this admin socket. */
export class Weights {
  readonly #cluster: Cluster;
  readonly #adminSocket: string;
  readonly #signal: AbortSignal;

  constructor(cluster: Cluster, adminSocket: string, signal: AbortSignal) {
    this.#cluster = cluster;
    this.#adminSocket = adminSocket;
    this.#signal = signal;
  }

  /** The sidecar is warm, and has the route, when this resolves. */
  async create(): Promise<void> {
    await this.#cluster.api.call("POST", path, canary(1, 1));
    await this.#untilInForce(1, 1, 50);
  }

  /** Milliseconds from the request to the API server until Envoy runs it. */
  async patch(edits: number): Promise<Summary> {
    const taken: number[] = [];
    for (let edit = 1; edit <= edits; edit++) {
      const { spec } = canary(edit, 100);
      const startedAt = performance.now();
      await this.#cluster.api.call("PATCH", `${path}/svc-0`, { spec: { rules: spec.rules } });
      await this.#untilInForce(edit, 100, 2);
      taken.push(performance.now() - startedAt);
    }
    return summarize(taken);
  }

  /** The same with `kubectl apply`, from its start; `kubectlMs`: until it ended by itself. */
  async apply(edits: number): Promise<{ readonly effectiveMs: Summary; readonly kubectlMs: Summary }> {
    const effective: number[] = [];
    const kubectl: number[] = [];
    for (let edit = 1; edit <= edits; edit++) {
      const startedAt = performance.now();
      const since = () => performance.now() - startedAt;
      const applied = this.#cluster.kubectl(["apply", "-f", "-"], JSON.stringify(canary(edit, 200)));
      const inForce = this.#untilInForce(edit, 200, 5).then(since);
      kubectl.push(await applied.then(since));
      effective.push(await inForce);
    }
    return { effectiveMs: summarize(effective), kubectlMs: summarize(kubectl) };
  }

  async #untilInForce(first: number, second: number, everyMs: number): Promise<void> {
    const isInForce = async () => {
      const weights = await weightsInForce(this.#adminSocket, "outbound/team-0/svc-0/80");
      return weights[0] === first && weights[1] === second;
    };
    await until(`weights ${first}, ${second} in Envoy`, waitMs, isInForce, { everyMs, signal: this.#signal });
  }
}
