// From what the manifests and the agents say to what every proxy runs.
import type { MeshConfig, ObjectKey, SourceObject } from "@hedgerow/manifest";
import { objectKey, objectRef } from "@hedgerow/manifest";
import type { AdsServer } from "./ads/server.ts";
import type { LastGood, SourceView } from "./last-good/source-view.ts";
import type { Logger } from "./logger.ts";
import { ModelBuilder } from "./model/build.ts";
import type { Finding } from "./model/finding.ts";
import { checkProxy } from "./snapshot/consistency.ts";
import type { MeshSnapshot, NodeId, ProxySnapshot } from "./snapshot/snapshot.ts";
import { Translator } from "./translate/translator.ts";

export interface PublisherDeps {
  readonly trustDomain: string;
  readonly view: () => SourceView;
  readonly ready: () => ReadonlySet<NodeId>;
  readonly ads: Pick<AdsServer, "publish">;
  /** What resolved when the control plane last ran. */
  readonly lastResolved: readonly SourceObject[];
  /** Keeps what resolved for the next run. */
  readonly keepResolved: (resolved: LastGood) => void;
  readonly logger: Logger;
  /** Told of every translation, for metrics. `kept`: the snapshot before stays in force, for all proxies or for one. */
  readonly counted: (outcome: "published" | "kept") => void;
}

/**
 * Translates and publishes. Whatever goes wrong with a translation is logged, and the snapshot before stays: a mesh must not
 * fall with a bug of ours. What only one proxy gets is translated, and proved to be consistent, when it is asked for: what goes
 * wrong there leaves that proxy with what it runs.
 */
export class Publisher implements Disposable {
  readonly #deps: PublisherDeps;
  #resolved: ReadonlyMap<ObjectKey, SourceObject>;
  readonly #builder = new ModelBuilder();
  readonly #translator = new Translator();
  readonly #checks: Checks;
  #snapshot: MeshSnapshot = new Map();
  #findings: readonly Finding[] = [];
  #meshConfig: MeshConfig | undefined;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#resolved = new Map(deps.lastResolved.map((object) => [objectKey(objectRef(object.manifest)), object]));
    this.#checks = new Checks(deps);
  }

  /** What was last published. */
  get snapshot(): MeshSnapshot {
    return this.#snapshot;
  }

  /** Of the manifests as they were last translated. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** The MeshConfig in force. */
  get meshConfig(): MeshConfig | undefined {
    return this.#meshConfig;
  }

  /** Something changed. What changes in one turn of the event loop makes one snapshot. */
  schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.publish();
    });
  }

  publish(): void {
    const { trustDomain, view, ready, ads, keepResolved, logger, counted } = this.#deps;
    const startMs = performance.now();
    try {
      const { objects, cluster } = view();
      const { model, meshConfig, findings, resolved } = this.#builder.build({
        objects,
        cluster,
        ready: ready(),
        trustDomain,
        lastResolved: this.#resolved,
      });
      this.#findings = findings;
      const snapshot = new CheckedSnapshot(this.#translator.translate(model), this.#checks);
      ads.publish(snapshot);
      this.#snapshot = snapshot;
      this.#meshConfig = meshConfig;
      if (resolved !== this.#resolved) keepResolved({ objects: [...resolved.values()], generations: new Map() });
      this.#resolved = resolved;
      counted("published");
      const durationMs = Math.round(performance.now() - startMs);
      logger.info({ proxies: snapshot.size, findings: findings.length, duration_ms: durationMs }, "Published snapshot");
    } catch (error) {
      logger.error({ err: error }, "Kept the snapshot before: translation failed");
      counted("kept");
    }
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#scheduled);
  }
}

/** Whether what one proxy is to run is consistent: asked once of each proxy's snapshot, answered in the log where it is not. */
class Checks {
  readonly #deps: Pick<PublisherDeps, "logger" | "counted">;
  readonly #known = new WeakMap<ProxySnapshot, boolean>();

  constructor(deps: Pick<PublisherDeps, "logger" | "counted">) {
    this.#deps = deps;
  }

  isFit(proxy: ProxySnapshot): boolean {
    const known = this.#known.get(proxy);
    if (known !== undefined) return known;
    const inconsistencies = checkProxy(proxy);
    if (inconsistencies.length > 0) {
      // Envoy would wait for what is missing, or refuse requests.
      const fields = { node_id: proxy.nodeId, inconsistencies: inconsistencies.slice(0, 10) };
      this.#deps.logger.error(fields, "Kept the snapshot before: references dangle");
      this.#deps.counted("kept");
    }
    this.#known.set(proxy, inconsistencies.length === 0);
    return inconsistencies.length === 0;
  }

  failed(nodeId: NodeId, error: unknown): void {
    this.#deps.logger.error({ node_id: nodeId, err: error }, "Kept the snapshot before: translation failed");
    this.#deps.counted("kept");
  }
}

/** Has no snapshot for a proxy for which there is none that is consistent. */
class CheckedSnapshot implements MeshSnapshot {
  readonly #snapshot: MeshSnapshot;
  readonly #checks: Checks;
  readonly #failed = new Set<NodeId>();

  constructor(snapshot: MeshSnapshot, checks: Checks) {
    this.#snapshot = snapshot;
    this.#checks = checks;
  }

  get size(): number {
    return this.#snapshot.size;
  }

  has(nodeId: NodeId): boolean {
    return this.#snapshot.has(nodeId);
  }

  get(nodeId: NodeId): ProxySnapshot | undefined {
    if (this.#failed.has(nodeId)) return undefined;
    try {
      const proxy = this.#snapshot.get(nodeId);
      return proxy !== undefined && this.#checks.isFit(proxy) ? proxy : undefined;
    } catch (error) {
      this.#failed.add(nodeId);
      this.#checks.failed(nodeId, error);
      return undefined;
    }
  }

  keys(): Iterable<NodeId> {
    return this.#snapshot.keys();
  }
}
