import { hostname } from "node:os";
import { join } from "node:path";
import type { KubernetesConfig } from "../config.ts";
import { readAccess } from "../kubernetes/access.ts";
import { KubernetesClient } from "../kubernetes/client.ts";
import { SecretKeyStore } from "../kubernetes/secret-key-store.ts";
import { PodAttestor } from "../kubernetes/token-review.ts";
import type { SourceView } from "../last-good/source-view.ts";
import type { Logger } from "../logger.ts";
import { Gauge } from "../metrics/metrics.ts";
import { type KubernetesSource, openKubernetesSource } from "../source/kubernetes/kubernetes-source.ts";
import { Replica } from "./replica.ts";
import { otherReplicas } from "./replica-endpoints.ts";
import type { Attachment, ServingParts, World, WorldDeps } from "./world.ts";

/**
 * One replica among several, at an API server. Resolves at once: the first view comes by `onView`, whenever the API server
 * can be asked. Errors: KUBECONFIG_INVALID, NOT_IN_CLUSTER.
 */
export async function openKubernetesWorld(
  {
    source: config,
    stateDir,
    version,
  }: { readonly source: KubernetesConfig; readonly stateDir: string; readonly version: string },
  deps: WorldDeps,
  logger: Logger,
): Promise<World> {
  const client = new KubernetesClient(await readAccess(config.access), {
    logger: logger.child({ component: "kubernetes" }),
  });
  return new KubernetesWorld({ config, stateDir, version, client, deps, logger });
}

interface Parts {
  readonly config: KubernetesConfig;
  readonly stateDir: string;
  readonly version: string;
  readonly client: KubernetesClient;
  readonly deps: WorldDeps;
  readonly logger: Logger;
}

class KubernetesWorld implements World {
  readonly keyStore: SecretKeyStore;
  readonly issuance: World["issuance"];
  readonly elsewhere: World["elsewhere"];
  readonly #parts: Parts;
  readonly #podName: string;
  readonly #opening: Promise<void>;
  #source: KubernetesSource | undefined;
  #replica: Replica | undefined;

  constructor(parts: Parts) {
    const { config, client, deps, logger } = parts;
    this.#parts = parts;
    this.#podName = config.podName ?? hostname();
    this.keyStore = new SecretKeyStore({
      client,
      namespace: config.podNamespace,
      now: deps.now,
      othersServe: () => this.#others().some(({ ready }) => ready),
      logger: logger.child({ component: "ca" }),
      signal: deps.signal,
    });
    const attestor = new PodAttestor({
      client,
      pod: (nodeId) => this.view()?.cluster?.pods.get(nodeId),
      now: deps.now,
    });
    this.issuance = { spentTokens: undefined, attestPod: (token) => attestor.attest(token) };
    const nobody: ReadonlySet<string> = new Set();
    this.elsewhere = {
      reports: () => this.#replica?.reports ?? [],
      lost: () => this.#replica?.lost ?? [],
      ready: () => this.#replica?.readyElsewhere ?? nobody,
    };
    this.#opening = this.#open();
  }

  get replicaName(): string {
    return this.#podName;
  }

  view(): SourceView | undefined {
    return this.#source?.view();
  }

  metrics(): ReturnType<World["metrics"]> {
    const states = [...(this.#source?.states().values() ?? [])];
    const retrying = new Gauge(
      "hedgerow_source_retrying",
      "Resources of the API server that can't be followed now: what is known of them stays in force.",
      () => states.filter((state) => state === "retrying").length,
    );
    return [retrying, ...(this.#replica?.metrics() ?? [])];
  }

  attach(parts: ServingParts): Attachment {
    const { config, version, client, deps, logger } = this.#parts;
    this.#replica = new Replica(
      {
        config,
        podName: this.#podName,
        version,
        client,
        keyStore: this.keyStore,
        others: () => this.#others(),
        deps,
        logger,
      },
      parts,
      () => this.view(),
    );
    return this.#replica;
  }

  #others() {
    return otherReplicas(this.view()?.cluster, `${this.#parts.config.podNamespace}/${this.#podName}`);
  }

  // Never rejects.
  async #open(): Promise<void> {
    const { client, stateDir, deps, logger } = this.#parts;
    try {
      this.#source = await openKubernetesSource({
        client,
        logger: logger.child({ component: "source" }),
        lastGoodFile: join(stateDir, "last-good.json"),
        onChange: deps.onView,
        signal: deps.signal,
      });
    } catch (error) {
      if (!deps.signal.aborted) deps.onFailure(error);
      return;
    }
    deps.onView(this.#source.view());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opening;
    await this.#source?.[Symbol.asyncDispose]();
    this.#parts.client[Symbol.dispose]();
  }
}
