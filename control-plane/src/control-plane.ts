// Puts the parts together and owns them all.
import { join } from "node:path";
import { AdminSocket } from "./admin/server.ts";
import type { AdminDeps } from "./admin/service.ts";
import type { AdsServer } from "./ads/server.ts";
import type { KeyStore } from "./ca/key-material.ts";
import type { WorkloadIdentity } from "./ca/names.ts";
import { workloadIdentities } from "./ca/workloads.ts";
import type { Config } from "./config.ts";
import { nothingGood, type SourceView, viewOf } from "./last-good/source-view.ts";
import type { Logger } from "./logger.ts";
import { MeshMetrics } from "./mesh-metrics.ts";
import { Gauge } from "./metrics/metrics.ts";
import { MetricsServer } from "./metrics/server.ts";
import { catalogOf } from "./model/catalog.ts";
import type { Publisher } from "./publisher.ts";
import { Readiness } from "./readiness/service.ts";
import { Serving } from "./serving.ts";
import type { NodeId } from "./snapshot/snapshot.ts";
import { LastGoodFile } from "./source/last-good-file.ts";
import { openStateDir, removeLeftovers } from "./state-file.ts";
import { StateLock } from "./state-lock.ts";
import { describeProxies, type ProxyInit } from "./status/describe-proxies.ts";
import { mergeProxies } from "./status/replicas.ts";
import { openDirectoryWorld } from "./world/directory-world.ts";
import { openKubernetesWorld } from "./world/kubernetes-world.ts";
import type { World, WorldDeps } from "./world/world.ts";

export interface ControlPlaneOptions {
  readonly config: Config;
  /** Semantic version of the control plane. */
  readonly version: string;
  readonly logger: Logger;
  /** Unix ms. */
  readonly now: () => number;
  /** The control plane can't go on. Whoever is called disposes of it. */
  readonly onFailure: (error: unknown) => void;
}

const DEFAULT_SVID_LIFETIME_MS = 24 * 3_600_000;

/** What `hedgerow status` shows that is no manifest's fault. */
const meshProblem = (code: string, message: string) => ({
  position: { file: ".", line: 0, column: 0 },
  field: "",
  code,
  message,
});
const noMeshConfig = (consequence: string) =>
  meshProblem("missing_mesh_config", `no MeshConfig is written: ${consequence}`);

/**
 * A running control plane. Before the first MeshConfig names the trust domain only the admin socket and the metrics are
 * served; the certificate authority is made then, and its trust domain stays.
 */
export class ControlPlane implements AsyncDisposable {
  readonly #options: ControlPlaneOptions;
  readonly #metrics: MeshMetrics;
  readonly #owned = new AsyncDisposableStack();
  #view: SourceView = viewOf(nothingGood);
  #hasView = false;
  #workloads: ReadonlyMap<NodeId, WorkloadIdentity> = new Map();
  #readiness: Readiness | undefined;
  /** As it was last published. */
  #ready: ReadonlySet<NodeId> = new Set();
  #serving: Serving | undefined;
  #opening: Promise<void> | undefined;
  #openServing: (() => Promise<Serving | undefined>) | undefined;
  #world: World | undefined;
  /** Ends every wait for somebody else. */
  readonly #stop = new AbortController();
  #closed = false;

  private constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#metrics = new MeshMetrics({
      proxies: () => this.#serving?.ads.states() ?? [],
      ready: () => this.#readiness?.ready ?? new Set(),
      view: () => this.#view,
      more: () => [
        ...(this.#world?.metrics() ?? []),
        ...(this.#serving?.audit.metrics ?? []),
        new Gauge(
          "hedgerow_witness_ledgers",
          "Ledgers that the witness knows.",
          () => this.#serving?.witness.size ?? 0,
        ),
      ],
    });
  }

  /**
   * Resolves when everything listens, or the admin socket and the metrics alone where no MeshConfig is there yet.
   * Rejects when an address can't be had or the state directory can't be used; nothing is left open then.
   */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const controlPlane = new ControlPlane(options);
    try {
      await controlPlane.#start();
    } catch (error) {
      await controlPlane[Symbol.asyncDispose]();
      throw error;
    }
    return controlPlane;
  }

  async #start(): Promise<void> {
    const { config, logger, now } = this.#options;
    const { stateDir } = config;
    await openStateDir(stateDir);
    this.#owned.use(await StateLock.take(stateDir));
    await removeLeftovers(stateDir);
    const admin = this.#adminDeps();
    this.#owned.use(await AdminSocket.listen(admin, config.adminSocket));
    logger.info({ address: config.adminSocket, port_name: "admin-socket" }, "Listening");
    const metrics = this.#owned.use(
      await MetricsServer.listen({
        listen: config.metricsListen,
        metrics: () => this.#metrics.expose(),
        unready: () => this.#unready(),
      }),
    );
    logger.info({ address: metrics.address, port_name: "metrics" }, "Listening");

    const readiness = await Readiness.open({
      stateDir,
      now: () => performance.now(),
      logger: logger.child({ component: "readiness" }),
      onChange: () => this.#readyChanged(),
    });
    this.#readiness = this.#owned.use(readiness);
    const resolvedFile = this.#owned.use(new LastGoodFile(join(stateDir, "resolved.json"), logger));
    const lastResolved = (await resolvedFile.read()).objects;
    const world = await this.#openWorld();
    this.#world = this.#owned.use(world);

    this.#openServing = async () => {
      const material = (await world.keyStore.read()) ?? (await this.#createKeyMaterial(world.keyStore));
      if (material === undefined) return undefined;
      return await Serving.start({
        config,
        material,
        readiness,
        world,
        proxies: (ads, publisher) => this.#describeProxies(ads, publisher),
        issuance: {
          ...world.issuance,
          workload: (nodeId) => this.#workloads.get(nodeId),
          pod: (nodeId) => this.#view.cluster?.pods.get(nodeId),
          svidLifetimeMs: () => this.#serving?.publisher.meshConfig?.spec.identity.lifetime ?? DEFAULT_SVID_LIFETIME_MS,
          counted: (method, outcome) => this.#metrics.svids.add({ method, outcome }),
        },
        publishing: {
          view: () => this.#view,
          ready: () => {
            this.#ready = this.#readyWorkloads();
            return this.#ready;
          },
          lastResolved,
          keepResolved: (resolved) => resolvedFile.write(resolved),
          counted: (outcome) => this.#metrics.snapshots.add({ outcome }),
        },
        counted: (typeUrl, event) => this.#metrics.countAds(typeUrl, event),
        witnessed: (method, outcome) => this.#metrics.witness.add({ method, outcome }),
        admin,
        now,
        logger,
      });
    };
    const view = world.view();
    if (view === undefined) return;
    this.#take(view);
    await this.#open();
  }

  #openWorld(): Promise<World> {
    const { config, version, logger, now } = this.#options;
    const { source, stateDir } = config;
    const deps: WorldDeps = {
      onView: (view) => this.#changed(view),
      onReady: () => this.#readyChanged(),
      onFailure: this.#options.onFailure,
      now,
      signal: this.#stop.signal,
    };
    switch (source.kind) {
      case "directory":
        return openDirectoryWorld({ manifestsDir: source.manifestsDir, stateDir }, deps, logger);
      case "kubernetes":
        return openKubernetesWorld({ source, stateDir, version }, deps, logger);
    }
  }

  // One attempt at a time; the views that come meanwhile are published after it.
  #open(): Promise<void> {
    const open = async () => {
      try {
        this.#serving = await this.#openServing?.();
        this.#serving?.publisher.schedule();
        if (this.#serving === undefined) this.#options.logger.warn("Waiting for a MeshConfig to name the trust domain");
      } finally {
        this.#opening = undefined;
      }
    };
    this.#opening ??= open();
    return this.#opening;
  }

  async #createKeyMaterial(keyStore: KeyStore) {
    const trustDomain = this.#meshConfig()?.spec.trustDomain;
    if (trustDomain === undefined) return undefined;
    const material = await keyStore.create(trustDomain);
    this.#options.logger.info({ trust_domain: material.trustDomain }, "Created certificate authority");
    return material;
  }

  #changed(view: SourceView): void {
    const isFirst = !this.#hasView;
    this.#take(view);
    if (this.#closed) return;
    if (this.#serving !== undefined) {
      this.#serving.publisher.schedule();
      this.#serving.attachment.viewChanged();
    } else if (isFirst || this.#meshConfig() !== undefined) this.#open().catch(this.#options.onFailure);
  }

  /** Whoever says so, here or to another replica. Pods are left out: the cluster tells of their endpoints. */
  #readyWorkloads(): ReadonlySet<NodeId> {
    const here = this.#readiness?.ready ?? new Set();
    const elsewhere = this.#world?.elsewhere.ready() ?? new Set();
    const ready = [...this.#workloads.keys()].filter((nodeId) => here.has(nodeId) || elsewhere.has(nodeId));
    return new Set(ready);
  }

  #readyChanged(): void {
    const isSame = this.#readyWorkloads().symmetricDifference(this.#ready).size === 0;
    if (!isSame) this.#serving?.publisher.schedule();
  }

  #take(view: SourceView): void {
    const { objects, problems, stale } = view;
    const before = this.#view;
    const isFirst = !this.#hasView;
    this.#view = view;
    this.#hasView = true;
    // In a cluster, endpoints change all the time, and manifests do not.
    if (isFirst || objects !== before.objects) this.#workloads = workloadIdentities(objects);
    const isNews = isFirst || objects !== before.objects || problems !== before.problems || stale !== before.stale;
    const counts = { objects: objects.length, problems: problems.length, stale: stale.size };
    if (isNews) this.#options.logger.info(counts, "Read manifests");
  }

  /** The one that is written; its trust domain may not be in force. */
  #meshConfig() {
    return catalogOf(this.#view.objects).meshConfigs[0]?.manifest;
  }

  #unready(): string | undefined {
    if (this.#closed) return "the control plane is shutting down";
    if (this.#serving !== undefined) return undefined;
    if (!this.#hasView) return "the API server has not been read yet";
    return this.#meshConfig() === undefined ? "no MeshConfig names the trust domain yet" : "the CA key is awaited";
  }

  #meshProblems() {
    if (!this.#hasView)
      return [meshProblem("source_unread", "the API server has not been read yet: nothing is served")];
    if (this.#serving === undefined && this.#meshConfig() !== undefined) return [];
    if (this.#serving === undefined) return [noMeshConfig("nothing is served until one names the trust domain")];
    return this.#meshConfig() === undefined ? [noMeshConfig("what the last one said stays in force")] : [];
  }

  #describeProxies(ads: AdsServer, publisher: Publisher): readonly ProxyInit[] {
    return describeProxies({
      proxies: ads.states(),
      snapshot: publisher.snapshot,
      readiness: (nodeId) => this.#readiness?.of(nodeId),
    });
  }

  #proxies(): readonly ProxyInit[] {
    if (this.#serving === undefined) return [];
    const { ads, publisher } = this.#serving;
    return mergeProxies(this.#describeProxies(ads, publisher), this.#world?.elsewhere.reports() ?? []);
  }

  #adminDeps(): AdminDeps {
    return {
      version: this.#options.version,
      authority: () => this.#serving?.authority,
      workload: (nodeId) => this.#workloads.get(nodeId),
      singleUseTokens: this.#options.config.source.kind === "directory",
      status: () => ({
        objects: [...(this.#serving?.status.read() ?? [])],
        problems: [...this.#view.problems, ...this.#meshProblems()],
      }),
      proxies: () => ({ proxies: [...this.#proxies()] }),
      audit: () => this.#serving?.audit,
      ledgers: async (after, most) =>
        (await this.#serving?.attachment.ledgers(after, most)) ?? { ledgers: [], more: false },
      logger: this.#options.logger.child({ component: "admin" }),
    };
  }

  /** Ends what is open in order: the ports of the mesh, then what feeds them, then the state on disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    // Its failure is told to whoever started it.
    await this.#opening?.catch(() => {});
    const serving = this.#serving?.[Symbol.asyncDispose]();
    await this.#readiness?.[Symbol.asyncDispose]();
    await serving;
    await this.#owned.disposeAsync();
  }
}
