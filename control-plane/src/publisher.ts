// From what the manifests and the agents say to what every proxy runs.
import type { MeshConfig, ObjectKey, SourceObject } from "@hedgerow/manifest";
import { objectKey, objectRef } from "@hedgerow/manifest";
import type { AdsServer } from "./ads/server.ts";
import { type LastGood, nothingGood, type SourceView, viewOf } from "./last-good/source-view.ts";
import type { Logger } from "./logger.ts";
import { ModelBuilder } from "./model/build.ts";
import type { Finding } from "./model/finding.ts";
import { type Refusal, SnapshotChecker } from "./snapshot/checked.ts";
import type { MeshSnapshot, NodeId } from "./snapshot/snapshot.ts";
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

/** An edit is never put off longer than this. */
const MAX_REST_MS = 200;

/**
 * Translates and publishes. Whatever goes wrong with a translation is logged, and the snapshot before stays: a mesh must not
 * fall with a bug of ours. What only one proxy gets is translated, and proved to be consistent, when it is asked for: what goes
 * wrong there leaves that proxy with what it runs.
 */
export class Publisher implements Disposable {
  readonly #deps: PublisherDeps;
  #resolved: ReadonlyMap<ObjectKey, SourceObject>;
  #builder = new ModelBuilder();
  #translator = new Translator();
  readonly #checker = new SnapshotChecker((refusal) => this.#refused(refusal));
  #snapshot: MeshSnapshot = new Map();
  #view: SourceView = viewOf(nothingGood);
  #findings: readonly Finding[] = [];
  #meshConfig: MeshConfig | undefined;
  #scheduled: NodeJS.Timeout | undefined;
  #restUntilMs = 0;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#resolved = new Map(deps.lastResolved.map((object) => [objectKey(objectRef(object.manifest)), object]));
  }

  /** What was last published. */
  get snapshot(): MeshSnapshot {
    return this.#snapshot;
  }

  /** What the snapshot was made from: the newest view, unless its translation is still to come, or failed. */
  get view(): SourceView {
    return this.#view;
  }

  /** Of the manifests as they were last translated. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** The MeshConfig in force. */
  get meshConfig(): MeshConfig | undefined {
    return this.#meshConfig;
  }

  /**
   * Something changed. What changes in one turn of the event loop makes one snapshot; where changes keep coming, as in a
   * rollout, half of the time is left for all else.
   */
  schedule(): void {
    this.#scheduled ??= setTimeout(
      () => {
        this.#scheduled = undefined;
        this.publish();
      },
      Math.max(0, this.#restUntilMs - performance.now()),
    );
  }

  publish(): void {
    const { trustDomain, view, ready, ads, keepResolved, logger, counted } = this.#deps;
    const startMs = performance.now();
    try {
      const seen = view();
      const { objects, cluster, generations } = seen;
      const { model, meshConfig, findings, resolved } = this.#builder.build({
        objects,
        cluster,
        ready: ready(),
        trustDomain,
        generations,
        lastResolved: this.#resolved,
      });
      const snapshot = this.#checker.check(this.#translator.translate(model));
      ads.publish(snapshot);
      this.#snapshot = snapshot;
      const isEdit = seen.objects !== this.#view.objects;
      this.#view = seen;
      this.#findings = findings;
      this.#meshConfig = meshConfig;
      if (resolved !== this.#resolved) keepResolved({ objects: [...resolved.values()], generations: new Map() });
      this.#resolved = resolved;
      counted("published");
      const durationMs = Math.round(performance.now() - startMs);
      const counts = { proxies: snapshot.size, findings: findings.length, duration_ms: durationMs };
      // Endpoints alone come and go many times a second.
      logger[isEdit ? "info" : "debug"](counts, "Published snapshot");
    } catch (error) {
      logger.error({ err: error }, "Kept the snapshot before: translation failed");
      counted("kept");
      // Nothing is built on what was left halfway.
      this.#builder = new ModelBuilder();
      this.#translator = new Translator();
    }
    const endMs = performance.now();
    this.#restUntilMs = endMs + Math.min(endMs - startMs, MAX_REST_MS);
  }

  #refused(refusal: Refusal): void {
    const { logger, counted } = this.#deps;
    counted("kept");
    switch (refusal.kind) {
      case "inconsistent":
        // Envoy would wait for what is missing, or refuse requests.
        logger.error(
          { node_id: refusal.nodeId, inconsistencies: refusal.inconsistencies.slice(0, 10) },
          "Kept the snapshot before: references dangle",
        );
        break;
      case "failed":
        logger.error({ node_id: refusal.nodeId, err: refusal.error }, "Kept the snapshot before: translation failed");
        break;
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#scheduled);
  }
}
