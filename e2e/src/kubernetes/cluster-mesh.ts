import { join } from "node:path";
import { until } from "../mesh/until.ts";
import type { LoadReport } from "./load-report.ts";
import { caller, digits, meshConfig, namespaces, predictor, route } from "./manifests.ts";

const checkout = join(import.meta.dirname, "../../..");
const waitMs = 180_000;

/** Runs kubectl against a cluster; resolves to its standard output, rejects with its standard error. */
export type Kubectl = (args: readonly string[], stdin?: string) => Promise<string>;

export interface PodSummary {
  readonly name: string;
  readonly address: string;
  readonly ready: boolean;
  readonly phase: string;
}

interface PodJson {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly podIP?: string;
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Hedgerow and the digits mesh on a real cluster: what an operator types, and what a person looks at. */
export class ClusterMesh {
  readonly kubectl: Kubectl;
  readonly #progress: (step: string) => void;
  /** Addresses of callers' pods. */
  readonly #callers = new Map<string, string>();

  constructor(kubectl: Kubectl, progress: (step: string) => void = () => {}) {
    this.kubectl = kubectl;
    this.#progress = progress;
  }

  async apply(text: string): Promise<void> {
    const placed = text.replaceAll("MODELS/", `${checkout}/predictor/models/digits/`).replaceAll("CHECKOUT", checkout);
    await this.kubectl(["apply", "-f", "-"], placed);
  }

  /** The Gateway API's CRDs come from `gatewayCrds`, a file or folder; ours with the control plane. */
  async install(gatewayCrds: string): Promise<void> {
    this.#progress("Gateway API");
    await this.kubectl(["apply", "--server-side", "-f", gatewayCrds]);
    this.#progress("control plane");
    await this.kubectl(["apply", "-k", join(checkout, "manifests/overlays/local")]);
    await this.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    await this.apply(meshConfig);
    await this.rollout("hedgerow-system", "control-plane");
    await until("the webhook's certificate authority", waitMs, async () => {
      const bundle = ["-o", "jsonpath={.webhooks[*].clientConfig.caBundle}"];
      const kinds = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];
      const bundles = await Promise.all(
        kinds.map((kind) => this.kubectl(["get", kind, "hedgerow-default", ...bundle])),
      );
      return bundles.every((text) => text.length > 100);
    });
  }

  /** Predictors of both versions behind a 90/10 route, and callers. */
  async deployDigits(callers: readonly string[], replicas: readonly [number, number] = [2, 1]): Promise<void> {
    this.#progress("predictors and callers");
    await this.apply(namespaces);
    await this.apply(digits);
    await this.apply(route([90, 10]));
    await this.apply(predictor("1", replicas[0]));
    await this.apply(predictor("2", replicas[1]));
    await this.rollout("models", "digits-v1");
    await this.rollout("models", "digits-v2");
    for (const name of callers) await this.apply(caller(name));
    for (const name of callers) await this.rollout("apps", name);
  }

  /** Awaits that every policy is in effect on every proxy that needs it. */
  async settled(): Promise<void> {
    const effective = ["get", "hedgerow", "-A", "-o", "jsonpath={.items[*].status.effective}"];
    await until("every policy in effect", waitMs, async () =>
      (await this.kubectl(effective)).split(" ").every((is) => is === "yes"),
    );
  }

  async rollout(namespace: string, deployment: string): Promise<void> {
    await this.kubectl(["-n", namespace, "rollout", "status", `deployment/${deployment}`, "--timeout=180s"]);
  }

  async pods(namespace: string, app: string): Promise<readonly PodSummary[]> {
    const text = await this.kubectl(["-n", namespace, "get", "pods", "-l", `app=${app}`, "-o", "json"]);
    const { items } = JSON.parse(text) as { items: readonly PodJson[] };
    return items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata, status }) => ({
        name: metadata.name,
        address: status.podIP ?? "",
        phase: status.phase,
        ready: status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false,
      }));
  }

  /** How the requests of a caller went; with `anew`, it begins to count again. */
  async load(name: string, { anew = false }: { readonly anew?: boolean } = {}): Promise<LoadReport> {
    const address = this.#callers.get(name) ?? (await this.pods("apps", name))[0]?.address;
    if (address === undefined) throw new Error(`there is no caller ${name}`);
    // Callers stay where they are, and can be asked while the API server is away.
    this.#callers.set(name, address);
    const answer = await fetch(`http://${address}:9000/`, { method: anew ? "POST" : "GET" });
    return (await answer.json()) as LoadReport;
  }

  /** What Envoys of a Deployment's pods logged of requests. */
  async accessLog(namespace: string, app: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const pods = await this.pods(namespace, app);
    const logs = await Promise.all(
      pods.map(({ name }) => this.kubectl(["-n", namespace, "logs", name, "-c", "hedgerow-proxy"])),
    );
    return logs
      .flatMap((text) => text.split("\n"))
      .filter((line) => line.startsWith('{"') && line.includes('"direction"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Requests of a caller that failed since it was last asked to begin anew: what it was told, and what its Envoy saw. */
  async failures(caller: string): Promise<readonly string[]> {
    const { failed, lastFailures } = await this.load(caller);
    if (failed === 0) return [];
    const lines = (await this.accessLog("apps", caller)).filter(({ status }) => status !== 200).slice(-10);
    return [`${failed} failed`, ...lastFailures, ...lines.map((line) => JSON.stringify(line))];
  }
}
