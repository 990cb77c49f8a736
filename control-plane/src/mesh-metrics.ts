import { ADS_TYPE_URLS } from "@hedgerow/proto";
import type { ProxyState } from "./ads/proxy-state.ts";
import type { AdsEvent } from "./ads/stream.ts";
import type { Outcome } from "./ca/service.ts";
import type { SourceView } from "./last-good/source-view.ts";
import { Counter, exposition, Gauge } from "./metrics/metrics.ts";
import type { NodeId } from "./snapshot/snapshot.ts";
import { WITNESS_METHODS, WITNESS_OUTCOMES } from "./witness/service.ts";

export interface MeshGauges {
  readonly proxies: () => readonly ProxyState[];
  readonly ready: () => ReadonlySet<NodeId>;
  readonly view: () => SourceView | undefined;
  /** What there is beside, now. */
  readonly more: () => readonly (Counter | Gauge)[];
}

const METHODS = ["enroll", "renew"] as const;
const OUTCOMES = ["issued", "refused", "limited", "failed"] as const satisfies readonly Outcome[];

/** The message's name, as in Cluster. A proxy may ask for any type: what is not ours has one label together. */
const ADS_TYPES = new Map<string, string>(ADS_TYPE_URLS.map((typeUrl) => [typeUrl, typeUrl.replace(/^.*\./, "")]));
const OTHER_TYPE = "other";

function adsCounter(name: string, help: string): Counter {
  return new Counter(
    name,
    help,
    [...ADS_TYPES.values(), OTHER_TYPE].map((type) => ({ type })),
  );
}

/** Everything that /metrics of the control plane shows. */
export class MeshMetrics {
  readonly svids: Counter = new Counter(
    "hedgerow_svid_requests_total",
    "Requests for an SVID by method and outcome.",
    METHODS.flatMap((method) => OUTCOMES.map((outcome) => ({ method, outcome }))),
  );
  readonly snapshots: Counter = new Counter(
    "hedgerow_snapshots_total",
    "Translations of the manifests: published, or kept back because of an error of the control plane.",
    [{ outcome: "published" }, { outcome: "kept" }],
  );
  readonly witness: Counter = new Counter(
    "hedgerow_witness_requests_total",
    "Requests for the certificate of a checkpoint key or for a countersignature, by method and outcome.",
    WITNESS_METHODS.flatMap((method) => WITNESS_OUTCOMES.map((outcome) => ({ method, outcome }))),
  );
  readonly #ads: Readonly<Record<AdsEvent, Counter>> = {
    pushed: adsCounter("hedgerow_ads_pushes_total", "Responses that went to proxies, by type."),
    acknowledged: adsCounter("hedgerow_ads_acks_total", "Responses that proxies acknowledged, by type."),
    rejected: adsCounter("hedgerow_ads_nacks_total", "Responses that proxies refused, by type."),
  };
  readonly #gauges: readonly Gauge[];
  readonly #more: MeshGauges["more"];

  constructor({ proxies, ready, view, more }: MeshGauges) {
    this.#more = more;
    const rejected = (state: ProxyState) => [...state.types.values()].some((type) => type.rejected !== undefined);
    this.#gauges = [
      new Gauge(
        "hedgerow_proxies_connected",
        "Proxies with an open ADS stream.",
        () => proxies().filter(({ connected }) => connected).length,
      ),
      new Gauge(
        "hedgerow_proxies_rejecting",
        "Connected proxies that refused content which has not changed since.",
        () => proxies().filter((state) => state.connected && rejected(state)).length,
      ),
      new Gauge("hedgerow_workloads_ready", "Workloads whose agents report ready.", () => ready().size),
      new Gauge("hedgerow_source_objects", "Manifests in force.", () => view()?.objects.length ?? 0),
      new Gauge("hedgerow_source_problems", "Problems of the manifests.", () => view()?.problems.length ?? 0),
      new Gauge(
        "hedgerow_source_stale_objects",
        "Manifests at their last good version.",
        () => view()?.stale.size ?? 0,
      ),
    ];
  }

  countAds(typeUrl: string, event: AdsEvent): void {
    this.#ads[event].add({ type: ADS_TYPES.get(typeUrl) ?? OTHER_TYPE });
  }

  expose(): string {
    return exposition([
      this.svids,
      this.snapshots,
      this.witness,
      ...Object.values(this.#ads),
      ...this.#gauges,
      ...this.#more(),
    ]);
  }
}
