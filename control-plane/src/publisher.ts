// From what the manifests and the agents say to what every proxy runs.
import type { MeshConfig, ObjectKey, SourceObject } from "@hedgerow/manifest";
import { objectKey, objectRef } from "@hedgerow/manifest";
import type { AdsServer } from "./ads/server.ts";
import type { LastGood, SourceView } from "./last-good/source-view.ts";
import type { Logger } from "./logger.ts";
import { buildModel } from "./model/build.ts";
import type { Finding } from "./model/finding.ts";
import { checkConsistency } from "./snapshot/consistency.ts";
import type { MeshSnapshot, NodeId } from "./snapshot/snapshot.ts";
import { translate } from "./translate/translate.ts";

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
  /** Told of every translation, for metrics. `kept`: the snapshot before stays in force. */
  readonly counted: (outcome: "published" | "kept") => void;
}

/**
 * Translates and publishes. Whatever goes wrong with a translation is logged, and the snapshot before stays: a mesh must not
 * fall with a bug of ours.
 */
export class Publisher implements Disposable {
  readonly #deps: PublisherDeps;
  #resolved: ReadonlyMap<ObjectKey, SourceObject>;
  #snapshot: MeshSnapshot = new Map();
  #findings: readonly Finding[] = [];
  #meshConfig: MeshConfig | undefined;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#resolved = new Map(deps.lastResolved.map((object) => [objectKey(objectRef(object.manifest)), object]));
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
      const { model, meshConfig, findings, resolved } = buildModel({
        objects: view().objects,
        cluster: view().cluster,
        ready: ready(),
        trustDomain,
        lastResolved: this.#resolved,
      });
      this.#findings = findings;
      const snapshot = translate(model);
      const inconsistencies = checkConsistency(snapshot);
      if (inconsistencies.length > 0) {
        // Envoy would wait for what is missing, or refuse requests.
        logger.error({ inconsistencies: inconsistencies.slice(0, 10) }, "Kept the snapshot before: references dangle");
        counted("kept");
        return;
      }
      ads.publish(snapshot);
      this.#snapshot = snapshot;
      this.#resolved = resolved;
      this.#meshConfig = meshConfig;
      keepResolved({ objects: [...resolved.values()], generations: new Map() });
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
