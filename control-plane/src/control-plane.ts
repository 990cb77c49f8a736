// Puts the parts together and owns them all.
import { join } from "node:path";
import { AdminSocket } from "./admin/server.ts";
import type { AdminDeps } from "./admin/service.ts";
import type { KeyStore } from "./ca/key-material.ts";
import { directoryKeyStore } from "./ca/key-store.ts";
import type { WorkloadIdentity } from "./ca/names.ts";
import { SpentTokens } from "./ca/spent-tokens.ts";
import { workloadIdentities } from "./ca/workloads.ts";
import type { Config } from "./config.ts";
import { nothingGood, type SourceView, viewOf } from "./last-good/source-view.ts";
import type { Logger } from "./logger.ts";
import { MeshMetrics } from "./mesh-metrics.ts";
import { MetricsServer } from "./metrics/server.ts";
import { catalogOf } from "./model/catalog.ts";
import { Readiness } from "./readiness/service.ts";
import { Serving } from "./serving.ts";
import type { NodeId } from "./snapshot/snapshot.ts";
import { openDirectorySource } from "./source/directory-source.ts";
import { LastGoodFile } from "./source/last-good-file.ts";
import { openStateDir, removeLeftovers } from "./state-file.ts";
import { StateLock } from "./state-lock.ts";
import { describeProxies } from "./status/describe-proxies.ts";

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

/** What `hedgerow status` shows where no MeshConfig is written. */
const noMeshConfig = (consequence: string) => ({
  position: { file: ".", line: 0, column: 0 },
  field: "",
  code: "missing_mesh_config",
  message: `no MeshConfig is written: ${consequence}`,
});

/**
 * A running control plane. Before the first MeshConfig names the trust domain only the admin socket and the metrics are
 * served; the certificate authority is made then, and its trust domain stays.
 */
export class ControlPlane implements AsyncDisposable {
  readonly #options: ControlPlaneOptions;
  readonly #metrics: MeshMetrics;
  readonly #owned = new AsyncDisposableStack();
  #view: SourceView = viewOf(nothingGood);
  #workloads: ReadonlyMap<NodeId, WorkloadIdentity> = new Map();
  #readiness: Readiness | undefined;
  #serving: Serving | undefined;
  #opening: Promise<void> | undefined;
  #openServing: (() => Promise<Serving | undefined>) | undefined;
  #closed = false;

  private constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#metrics = new MeshMetrics({
      proxies: () => this.#serving?.ads.states() ?? [],
      ready: () => this.#readiness?.ready ?? new Set(),
      view: () => this.#view,
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
      onChange: () => this.#serving?.publisher.schedule(),
    });
    this.#readiness = this.#owned.use(readiness);
    const spentTokens = this.#owned.use(await SpentTokens.open(stateDir, now));
    const resolvedFile = this.#owned.use(new LastGoodFile(join(stateDir, "resolved.json"), logger));
    const lastResolved = (await resolvedFile.read()).objects;
    const source = this.#owned.use(
      await openDirectorySource({
        directory: config.manifestsDir,
        lastGoodFile: join(stateDir, "last-good.json"),
        logger: logger.child({ component: "source" }),
        onChange: (view) => this.#changed(view),
      }),
    );
    this.#take(source.view());

    const keyStore = directoryKeyStore(stateDir, now);
    this.#openServing = async () => {
      const material = (await keyStore.read()) ?? (await this.#createKeyMaterial(keyStore));
      if (material === undefined) return undefined;
      return await Serving.start({
        config,
        material,
        readiness,
        issuance: {
          spentTokens,
          workload: (nodeId) => this.#workloads.get(nodeId),
          pod: () => undefined,
          attestPod: undefined,
          svidLifetimeMs: () => this.#serving?.publisher.meshConfig?.spec.identity.lifetime ?? DEFAULT_SVID_LIFETIME_MS,
          counted: (method, outcome) => this.#metrics.svids.add({ method, outcome }),
        },
        publishing: {
          view: () => this.#view,
          ready: () => readiness.ready,
          lastResolved,
          keepResolved: (resolved) => resolvedFile.write(resolved),
          counted: (outcome) => this.#metrics.snapshots.add({ outcome }),
        },
        counted: (typeUrl, event) => this.#metrics.countAds(typeUrl, event),
        admin,
        now,
        logger,
      });
    };
    await this.#open();
    if (this.#serving === undefined)
      logger.warn({ manifests: config.manifestsDir }, "Waiting for a MeshConfig to name the trust domain");
  }

  // One attempt at a time; the views that come meanwhile are published after it.
  #open(): Promise<void> {
    const open = async () => {
      this.#serving = await this.#openServing?.();
      this.#serving?.publisher.schedule();
      this.#opening = undefined;
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
    this.#take(view);
    if (this.#closed) return;
    if (this.#serving !== undefined) this.#serving.publisher.schedule();
    else if (this.#meshConfig() !== undefined) this.#open().catch(this.#options.onFailure);
  }

  #take(view: SourceView): void {
    const { objects, problems, stale } = view;
    const counts = { objects: objects.length, problems: problems.length, stale: stale.size };
    this.#options.logger.info(counts, "Read manifests");
    this.#view = view;
    this.#workloads = workloadIdentities(view.objects);
  }

  /** The one that is written; its trust domain may not be in force. */
  #meshConfig() {
    return catalogOf(this.#view.objects).meshConfigs[0]?.manifest;
  }

  #unready(): string | undefined {
    if (this.#closed) return "the control plane is shutting down";
    return this.#serving === undefined ? "no MeshConfig names the trust domain yet" : undefined;
  }

  #meshProblems() {
    if (this.#serving === undefined) return [noMeshConfig("nothing is served until one names the trust domain")];
    return this.#meshConfig() === undefined ? [noMeshConfig("what the last one said stays in force")] : [];
  }

  #proxies() {
    if (this.#serving === undefined) return [];
    const { ads, publisher } = this.#serving;
    return describeProxies({
      proxies: ads.states(),
      snapshot: publisher.snapshot,
      readiness: (nodeId) => this.#readiness?.of(nodeId),
    });
  }

  #adminDeps(): AdminDeps {
    return {
      version: this.#options.version,
      authority: () => this.#serving?.authority,
      workload: (nodeId) => this.#workloads.get(nodeId),
      status: () => ({
        objects: [...(this.#serving?.status.read() ?? [])],
        problems: [...this.#view.problems, ...this.#meshProblems()],
      }),
      proxies: () => ({ proxies: [...this.#proxies()] }),
      logger: this.#options.logger.child({ component: "admin" }),
    };
  }

  /** Ends what is open in order: the ports of the mesh, then what feeds them, then the state on disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    // Its failure is told to whoever started it.
    await this.#opening?.catch(() => {});
    const serving = this.#serving?.[Symbol.asyncDispose]();
    await this.#readiness?.[Symbol.asyncDispose]();
    await serving;
    await this.#owned.disposeAsync();
  }
}
