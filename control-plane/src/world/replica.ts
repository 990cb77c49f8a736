// What one replica does in a cluster once it has an authority, beside serving proxies: it stands for election, tells the others what
// its proxies run, writes statuses while it leads, answers the admission webhooks, and looks after the key's Secret.
import { randomUUID, X509Certificate } from "node:crypto";
import { reviewObject } from "@hedgerow/manifest";
import { certificateIssued } from "../audit/acts.ts";
import { policyEdited } from "../audit/webhook-edit.ts";
import { WebhookIdentity } from "../ca/webhook-identity.ts";
import type { ClusterEndpoint } from "../cluster/state.ts";
import type { KubernetesConfig } from "../config.ts";
import { formatAddress } from "../grpc-listener.ts";
import { CaBundleKeeper } from "../inject/ca-bundle.ts";
import { DEFAULT_CONCURRENCY } from "../inject/context.ts";
import { startWebhook, type Webhook } from "../inject/webhook.ts";
import type { KubernetesClient } from "../kubernetes/client.ts";
import { LeaderElection } from "../kubernetes/lease.ts";
import type { SecretKeyStore } from "../kubernetes/secret-key-store.ts";
import { StatusWriter } from "../kubernetes/status-writer.ts";
import type { SourceView } from "../last-good/source-view.ts";
import type { Logger } from "../logger.ts";
import { Counter, Gauge } from "../metrics/metrics.ts";
import { peerCredentials } from "../peers/credentials.ts";
import { Peers } from "../peers/peers.ts";
import { PeerService } from "../peers/service.ts";
import { ReadyElsewhere } from "../readiness/elsewhere.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { describeReplica, type ReplicaReport } from "../status/replicas.ts";
import type { Attachment, ServingParts, WorldDeps } from "./world.ts";

const LEASE = "control-plane";
/** Proxies that a restart disconnected are back by then: what a leader says before would be that nobody runs anything. */
const SETTLE_MS = 10_000;
/** Some conditions change with time alone. */
const LOOK_MS = 30_000;

export interface ReplicaDeps {
  readonly config: KubernetesConfig;
  readonly podName: string;
  readonly version: string;
  readonly client: KubernetesClient;
  readonly keyStore: Pick<SecretKeyStore, "keep">;
  readonly others: () => readonly ClusterEndpoint[];
  readonly deps: WorldDeps;
  readonly logger: Logger;
}

export class Replica implements Attachment {
  readonly meshServices: Attachment["meshServices"];
  readonly #deps: ReplicaDeps;
  readonly #parts: ServingParts;
  readonly #view: () => SourceView | undefined;
  readonly #owned = new AsyncDisposableStack();
  readonly #peerService: PeerService;
  readonly #peers: Peers;
  readonly #ready = new ReadyElsewhere();
  readonly #writes = new Counter("hedgerow_status_writes_total", "Statuses of objects by outcome of their writing.", [
    { outcome: "written" },
    { outcome: "failed" },
  ]);
  #readyTimer: NodeJS.Timeout | undefined;
  #election: LeaderElection | undefined;
  #webhook: Webhook | undefined;

  constructor(deps: ReplicaDeps, parts: ServingParts, view: () => SourceView | undefined) {
    const { podName, logger } = deps;
    const { authority, identity, ads, publisher, proxies, witness } = parts;
    const { trustDomain } = authority;
    this.#deps = deps;
    this.#parts = parts;
    this.#view = view;
    const { now } = deps.deps;
    this.#peerService = this.#owned.use(
      new PeerService({
        trustDomain,
        report: () => {
          const states = ads.states();
          return {
            replica: podName,
            connected: states.filter(({ connected }) => connected).map(({ nodeId }) => nodeId),
            objects: [...describeReplica(publisher.view, publisher.snapshot, states)],
            proxies: [...proxies()],
          };
        },
        witness,
        now,
        logger: logger.child({ component: "peers" }),
      }),
    );
    this.#peers = this.#owned.use(
      new Peers({
        addresses: () => new Set(deps.others().map(({ address, port }) => formatAddress({ host: address, port }))),
        credentials: () => peerCredentials(identity.context, trustDomain, now),
        monotonicMs: () => performance.now(),
        onChange: () => this.#peersChanged(),
        onLedgers: (ledgers) => witness.learn(ledgers),
        logger: logger.child({ component: "peers" }),
      }),
    );
    this.meshServices = [this.#peerService.service];
  }

  get reports(): readonly ReplicaReport[] {
    return this.#peers.reports;
  }

  get lost(): Iterable<NodeId> {
    return this.#peers.lost;
  }

  get readyElsewhere(): ReadonlySet<NodeId> {
    return this.#ready.ready;
  }

  metrics(): readonly (Counter | Gauge)[] {
    return [
      new Gauge("hedgerow_leader", "1 while this replica writes statuses.", () => (this.#election?.isLeader ? 1 : 0)),
      new Gauge("hedgerow_replicas_heard", "Other replicas whose proxies are known.", () => this.#peers.reports.length),
      this.#writes,
      ...(this.#webhook?.metrics ?? []),
    ];
  }

  viewChanged(): void {
    this.#peers.update();
    this.#peerService.schedule();
    this.#parts.status.schedule();
  }

  /** Those of the other replicas are learned as they come. */
  ledgers(after: string, most: number): ReturnType<Attachment["ledgers"]> {
    return this.#parts.witness.list(after, most);
  }

  async start(): Promise<void> {
    const { client, config, podName, keyStore, deps, logger } = this.#deps;
    const { ads, status, material } = this.#parts;
    this.#owned.defer(ads.onChange(() => this.#peerService.schedule()));
    this.#peers.update();
    void keyStore.keep(material);

    const writer = this.#owned.use(
      new StatusWriter({
        client,
        isLeader: () => this.#election?.isLeader === true,
        monotonicMs: () => performance.now(),
        counted: (outcome) => this.#writes.add({ outcome }),
        logger: logger.child({ component: "status" }),
      }),
    );
    const settledMs = performance.now() + SETTLE_MS;
    status.onRead((statuses) => {
      if (performance.now() >= settledMs) writer.offer(statuses);
    });
    const look = () => {
      status.schedule();
      this.#peerService.schedule();
    };
    const timers = [setTimeout(look, SETTLE_MS), setInterval(look, LOOK_MS)];
    this.#owned.defer(() => {
      for (const timer of timers) clearTimeout(timer);
      clearTimeout(this.#readyTimer);
    });

    this.#election = this.#owned.use(
      new LeaderElection({
        client,
        namespace: config.podNamespace,
        name: LEASE,
        identity: `${podName}_${randomUUID()}`,
        monotonicMs: () => performance.now(),
        now: deps.now,
        logger: logger.child({ component: "lease" }),
        onChange: () => writer.leadershipChanged(),
      }),
    );
    await this.#startWebhook();
  }

  async #startWebhook(): Promise<void> {
    const { client, config, version, deps } = this.#deps;
    const { authority, audit } = this.#parts;
    const logger = this.#deps.logger.child({ component: "webhook" });
    const service = `${LEASE}.${config.podNamespace}.svc`;
    const identity = this.#owned.use(
      new WebhookIdentity(
        authority,
        [service, `${service}.cluster.local`],
        undefined,
        (certificate) => void audit.recordIfPossible(certificateIssued("serving", certificate)),
      ),
    );
    this.#webhook = this.#owned.use(
      await startWebhook({
        listen: config.webhookListen,
        identity,
        injection: () => ({
          revision: config.revision,
          version,
          image: config.sidecarImage,
          trustDomain: authority.trustDomain,
          rootDigests: authority.rootDigests,
          enrollAddress: `${service}:15010`,
          meshAddress: `${service}:15012`,
          concurrency: DEFAULT_CONCURRENCY,
        }),
        review: (object) => reviewObject(object, { catalog: this.#view()?.objects ?? [] }),
        recordEdit: ({ spec, ...edit }) => {
          logger.info({ edit }, "Policy edited");
          const record = policyEdited({ spec, ...edit });
          // The API server has an audit log of its own, and waits for us: an edit goes on without our record.
          if (record !== undefined) void audit.recordIfPossible(record);
        },
        logger,
        now: deps.now,
      }),
    );
    this.#deps.logger.info({ address: this.#webhook.address, port_name: "webhook" }, "Listening");
    const bundle = authority.trustBundle.map((der) => new X509Certificate(der).toString()).join("");
    this.#owned.use(new CaBundleKeeper({ client, revision: config.revision, bundlePem: () => bundle, logger }));
  }

  #peersChanged(): void {
    this.#parts.status.schedule();
    const nowMs = performance.now();
    if (this.#ready.update(this.#peers.reports, nowMs)) this.#deps.deps.onReady();
    clearTimeout(this.#readyTimer);
    const nextMs = this.#ready.nextExpiryMs();
    if (nextMs !== undefined) this.#readyTimer = setTimeout(() => this.#peersChanged(), nextMs - nowMs + 1).unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}
