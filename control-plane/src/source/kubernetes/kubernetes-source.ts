import { objectKey } from "@hedgerow/manifest";
import { readEndpointSlice } from "../../cluster/read-endpoint-slice.ts";
import { readNamespace, readRegion } from "../../cluster/read-metadata.ts";
import { readPod } from "../../cluster/read-pod.ts";
import { readService, type ServiceRecord } from "../../cluster/read-service.ts";
import { endpointSliceShape, podShape, serviceShape } from "../../cluster/shapes.ts";
import type { KubernetesClient } from "../../kubernetes/client.ts";
import {
  ListWatch,
  type ListWatchEvent,
  type ListWatchOptions,
  type ListWatchState,
} from "../../kubernetes/list-watch.ts";
import { nothingGood, type SourceView } from "../../last-good/source-view.ts";
import type { Logger } from "../../logger.ts";
import { LastGoodFile } from "../last-good-file.ts";
import { ClusterPart } from "./cluster-part.ts";
import { ManifestPart, type ManifestView } from "./manifest-part.ts";
import { type CheckedKind, fileOf, readManifest } from "./read-manifest.ts";

/** What people edit is taken over together where it comes within this time. */
const manifestMs = 25;
/** Endpoints leave at once, and at most this often. */
const clusterMs = 10;
/** What the injector writes on the pods that it gave a sidecar. */
const meshSelector = "hedgerow.dev/mesh=true";

export interface KubernetesSourceOptions {
  readonly client: KubernetesClient;
  readonly logger: Logger;
  /** Where the last good manifests are kept over restarts; undefined: nowhere. */
  readonly lastGoodFile?: string;
  /** Called for every change after `openKubernetesSource` has resolved; not for the first view. */
  readonly onChange: (view: SourceView) => void;
  /** Gives up waiting for the first view. */
  readonly signal?: AbortSignal;
}

export interface KubernetesSource extends AsyncDisposable {
  view(): SourceView;
  /** How each resource (its path) is followed, for metrics. */
  states(): ReadonlyMap<string, ListWatchState>;
}

/**
 * Follows an API server. Resolves with the first view, once all that is there has been read; waits for an API server that is
 * away. Rejects with the signal's reason alone.
 *
 * Changes of manifests are taken over at most 25 ms after they came, together; those of pods and endpoints in the same turn of the
 * event loop, or 10 ms after the ones before. Parts of a view that did not change are the same objects as in the view before.
 */
export async function openKubernetesSource(options: KubernetesSourceOptions): Promise<KubernetesSource> {
  const { lastGoodFile, logger, signal } = options;
  const file = lastGoodFile === undefined ? undefined : new LastGoodFile(lastGoodFile, logger);
  const follower = new ClusterFollower(options, file, new ManifestPart((await file?.read()) ?? nothingGood));
  try {
    await follower.firstView(signal);
  } catch (error) {
    await follower[Symbol.asyncDispose]();
    throw error;
  }
  return follower;
}

class ClusterFollower implements KubernetesSource {
  readonly #options: KubernetesSourceOptions;
  readonly #lastGoodFile: LastGoodFile | undefined;
  readonly #cluster = new ClusterPart();
  readonly #manifests: ManifestPart;
  readonly #watches = new Map<string, AsyncDisposable & { readonly state: ListWatchState }>();
  /** Services that changed: they are manifests and part of the cluster, and change in both at once. */
  readonly #services = new Map<string, ServiceRecord | undefined>();
  /** Resources of which not all is known yet. */
  readonly #missing = new Set<string>();
  readonly #complete = Promise.withResolvers<void>();
  #manifestView: ManifestView;
  #view: SourceView;
  #isOpen = false;
  #manifestTimer: NodeJS.Timeout | undefined;
  #clusterTimer: NodeJS.Timeout | undefined;
  #clusterSoon: NodeJS.Immediate | undefined;
  #publishedMs = 0;

  constructor(options: KubernetesSourceOptions, lastGoodFile: LastGoodFile | undefined, manifests: ManifestPart) {
    this.#options = options;
    this.#lastGoodFile = lastGoodFile;
    this.#manifests = manifests;
    this.#manifestView = manifests.view();
    this.#view = { ...this.#manifestView, cluster: this.#cluster.current };
    this.#followCluster();
    this.#followManifests("HTTPRoute", "/apis/gateway.networking.k8s.io/v1/httproutes");
    this.#followManifests("MeshConfig", "/apis/hedgerow.dev/v1alpha1/meshconfigs");
    this.#followManifests("Workload", "/apis/hedgerow.dev/v1alpha1/workloads");
    this.#followManifests("AccessPolicy", "/apis/hedgerow.dev/v1alpha1/accesspolicies");
    this.#followManifests("AuditPolicy", "/apis/hedgerow.dev/v1alpha1/auditpolicies");
    this.#followManifests("TrafficPolicy", "/apis/hedgerow.dev/v1alpha1/trafficpolicies");
  }

  view(): SourceView {
    return this.#view;
  }

  states(): ReadonlyMap<string, ListWatchState> {
    return new Map([...this.#watches].map(([path, watch]) => [path, watch.state]));
  }

  async firstView(signal: AbortSignal | undefined): Promise<void> {
    const abort = (): void => this.#complete.reject(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await this.#complete.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    this.#takeManifests();
    this.#publish();
    this.#isOpen = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#manifestTimer);
    clearTimeout(this.#clusterTimer);
    clearImmediate(this.#clusterSoon);
    await Promise.all([...this.#watches.values()].map((watch) => watch[Symbol.asyncDispose]()));
    await this.#lastGoodFile?.[Symbol.asyncDispose]();
  }

  #followCluster(): void {
    const cluster = this.#cluster;
    this.#follow(
      { path: "/api/v1/namespaces", metadataOnly: true, project: ({ raw }) => readNamespace(raw) },
      (event) => {
        const isChange = event.kind === "put" ? cluster.putNamespace(event.value) : cluster.removeNamespace(event.key);
        if (isChange) this.#manifestsChanged();
      },
    );
    this.#follow({ path: "/api/v1/nodes", metadataOnly: true, project: ({ raw }) => readRegion(raw) }, (event) => {
      if (cluster.putRegion(event.key, event.kind === "put" ? event.value : undefined)) this.#manifestsChanged();
    });
    this.#follow(
      { path: "/api/v1/pods", labelSelector: meshSelector, shape: podShape, project: ({ raw }) => readPod(raw) },
      (event) => {
        const isChange = event.kind === "put" ? cluster.putPod(event.value) : cluster.removePod(event.key);
        if (isChange) this.#clusterChanged();
      },
    );
    this.#follow({ path: "/api/v1/services", shape: serviceShape, project: ({ raw }) => readService(raw) }, (event) => {
      this.#services.set(event.key, event.kind === "put" ? event.value : undefined);
      this.#manifestsChanged();
    });
    this.#follow(
      {
        path: "/apis/discovery.k8s.io/v1/endpointslices",
        shape: endpointSliceShape,
        project: ({ raw }) => readEndpointSlice(raw),
      },
      (event) => {
        const isChange =
          event.kind === "put" ? cluster.putSlice(event.key, event.value) : cluster.removeSlice(event.key);
        if (isChange) this.#clusterChanged();
      },
    );
  }

  #followManifests(kind: CheckedKind, path: string): void {
    const manifests = this.#manifests;
    this.#follow({ path, optional: true, project: ({ key, raw }) => readManifest(kind, key, raw) }, (event) => {
      const file = fileOf(kind, event.key);
      const isChange = event.kind === "put" ? manifests.put(file, event.value) : manifests.remove(file);
      if (isChange) this.#manifestsChanged();
    });
  }

  #follow<T>(
    what: Omit<ListWatchOptions<T>, "client" | "logger" | "onEvent">,
    onChange: (event: Extract<ListWatchEvent<T>, { kind: "put" | "remove" }>) => void,
  ): void {
    const { client, logger } = this.#options;
    this.#missing.add(what.path);
    const onEvent = (event: ListWatchEvent<T>): void => {
      switch (event.kind) {
        case "put":
        case "remove":
          onChange(event);
          break;
        case "synced":
        case "absent":
          this.#missing.delete(what.path);
          if (this.#missing.size === 0) this.#complete.resolve();
          break;
      }
    };
    this.#watches.set(what.path, new ListWatch<T>({ ...what, client, logger, onEvent }));
  }

  #manifestsChanged(): void {
    if (!this.#isOpen) return;
    this.#manifestTimer ??= setTimeout(() => {
      this.#manifestTimer = undefined;
      this.#takeManifests();
      this.#publish();
    }, manifestMs);
  }

  /** What comes in one turn of the event loop leaves at its end, unless the last news left a moment ago. */
  #clusterChanged(): void {
    if (!this.#isOpen || this.#clusterSoon !== undefined || this.#clusterTimer !== undefined) return;
    const publish = (): void => {
      this.#clusterSoon = undefined;
      this.#clusterTimer = undefined;
      this.#publish();
    };
    const waitMs = this.#publishedMs + clusterMs - performance.now();
    if (waitMs <= 0) this.#clusterSoon = setImmediate(publish);
    else this.#clusterTimer = setTimeout(publish, waitMs);
  }

  /** Services and manifests as they are by now; between two calls the former ones stand. */
  #takeManifests(): void {
    for (const [name, record] of this.#services) {
      if (record !== undefined) {
        this.#manifests.putService(record);
        this.#cluster.putService(record);
      } else {
        const [namespace = "", service = ""] = name.split("/");
        const key = objectKey({ kind: "Service", namespace, name: service });
        this.#manifests.removeService(key);
        this.#cluster.removeService(key);
      }
    }
    this.#services.clear();
    this.#manifestView = this.#manifests.view();
  }

  #publish(): void {
    const manifests = this.#manifestView;
    const cluster = this.#cluster.state();
    const { objects, generations, problems, stale, neverGood } = manifests;
    const before = this.#view;
    const isSame =
      before.cluster === cluster &&
      before.objects === objects &&
      before.generations === generations &&
      before.problems === problems &&
      before.stale === stale &&
      before.neverGood === neverGood;
    if (isSame) return;
    if (before.objects !== objects || !this.#isOpen) this.#lastGoodFile?.write(this.#manifests.lastGood);
    this.#publishedMs = performance.now();
    this.#view = { ...manifests, cluster };
    if (this.#isOpen) this.#options.onChange(this.#view);
  }
}
