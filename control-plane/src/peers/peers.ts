// The other replicas, as their Service's endpoints name them: one call to each.
import { type ChannelCredentials, status } from "@grpc/grpc-js";
import { type GrpcClient, grpcClient } from "@hedgerow/proto";
import {
  PeerService,
  type WatchLedgersResponse,
  type WatchProxiesResponse,
} from "@hedgerow/proto/hedgerow/peer/v1/peer";
import type { WitnessedLedger } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import type { Logger } from "../logger.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { ReplicaReport } from "../status/replicas.ts";
import { readReport } from "./report.ts";

/** As long as agents have to come back to another replica. */
const GRACE_MS = 15_000;
const FORGET_MS = 10 * 60_000;
const RETRY_MS = { first: 500, most: 10_000 };
/** A mesh of ten thousand proxies is told in a few MiB. */
const MAX_REPORT_BYTES = 64 * 1024 * 1024;

export interface PeersDeps {
  /** host:port of every other replica now. */
  readonly addresses: () => ReadonlySet<string>;
  /** Anew for each connection: certificates are renewed. They let nobody pass but the control plane. */
  readonly credentials: () => ChannelCredentials;
  /** ms of a clock that only goes forward. */
  readonly monotonicMs: () => number;
  readonly onChange: () => void;
  /** Ledgers that another replica knows, a few at a time; the next come when it has resolved. */
  readonly onLedgers: (ledgers: readonly WitnessedLedger[]) => Promise<void>;
  readonly logger: Logger;
}

interface Replica {
  stop: () => void;
  /** Undefined while nothing is heard: its proxies go to another replica then, and would be counted twice. */
  report: ReplicaReport | undefined;
}

/**
 * The newest report of every other replica that can be heard. The proxies of one that falls silent have 15 s to come to
 * another; then they are `lost`, until they are seen again, for 10 minutes.
 */
export class Peers implements Disposable {
  readonly #deps: PeersDeps;
  readonly #replicas = new Map<string, Replica>();
  readonly #missed = new Map<NodeId, { readonly fromMs: number; readonly untilMs: number }>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(deps: PeersDeps) {
    this.#deps = deps;
  }

  /** Looks who is there. Call it when addresses may have changed. */
  update(): void {
    if (this.#isClosed) return;
    const wanted = this.#deps.addresses();
    for (const address of wanted) if (!this.#replicas.has(address)) this.#open(address);
    for (const [address, replica] of this.#replicas) {
      if (wanted.has(address)) continue;
      replica.stop();
      this.#replicas.delete(address);
      this.#silent(replica);
    }
  }

  get reports(): readonly ReplicaReport[] {
    return [...this.#replicas.values()].flatMap(({ report }) => report ?? []);
  }

  /** Proxies that were connected to a replica that is gone. Some may be connected elsewhere by now. */
  get lost(): ReadonlySet<NodeId> {
    const nowMs = this.#deps.monotonicMs();
    return new Set([...this.#missed].filter(([, { fromMs }]) => fromMs <= nowMs).map(([nodeId]) => nodeId));
  }

  #open(address: string): void {
    const replica: Replica = { stop: () => {}, report: undefined };
    this.#replicas.set(address, replica);
    let retryMs = RETRY_MS.first;
    const connect = () => {
      const client = grpcClient(PeerService, address, this.#deps.credentials(), {
        "grpc.max_receive_message_length": MAX_REPORT_BYTES,
        "grpc.keepalive_time_ms": 10_000,
        "grpc.keepalive_timeout_ms": 5_000,
      });
      const call = client.watchProxies({});
      const ledgers = client.watchLedgers({});
      let isOver = false;
      const end = () => {
        if (isOver) return;
        isOver = true;
        call.cancel();
        ledgers.cancel();
        client.close();
      };
      const again = (error: Error | undefined) => {
        if (isOver) return;
        end();
        this.#deps.logger.debug({ replica: address, cause: error?.message }, "Lost a replica");
        this.#silent(replica);
        const timer = setTimeout(connect, retryMs * (0.5 + Math.random() / 2)).unref();
        replica.stop = () => clearTimeout(timer);
        retryMs = Math.min(RETRY_MS.most, retryMs * 2);
      };
      replica.stop = end;
      call.on("data", (response: WatchProxiesResponse) => {
        if (isOver) return;
        retryMs = RETRY_MS.first;
        replica.report = readReport(response);
        for (const nodeId of replica.report.connected) this.#missed.delete(nodeId);
        this.#deps.onChange();
      });
      call.on("error", again);
      call.on("end", () => again(undefined));
      this.#followLedgers(ledgers, address, again);
    };
    connect();
  }

  #followLedgers(
    call: ReturnType<GrpcClient<typeof PeerService>["watchLedgers"]>,
    address: string,
    again: (error: Error | undefined) => void,
  ): void {
    call.on("data", ({ ledgers }: WatchLedgersResponse) => {
      call.pause();
      this.#deps.onLedgers(ledgers).then(
        () => call.resume(),
        (error: unknown) => {
          this.#deps.logger.error({ replica: address, err: error }, "Failed to keep what another replica witnessed");
          again(undefined);
        },
      );
    });
    // In a rolling update the other one may be older, and have no ledgers to tell of.
    call.on("error", (error: Error & { readonly code?: status }) => {
      if (error.code !== status.UNIMPLEMENTED) again(error);
    });
  }

  #silent(replica: Replica): void {
    const { report } = replica;
    if (report === undefined) return;
    replica.report = undefined;
    const nowMs = this.#deps.monotonicMs();
    for (const nodeId of report.connected)
      this.#missed.set(nodeId, { fromMs: nowMs + GRACE_MS, untilMs: nowMs + FORGET_MS });
    this.#deps.onChange();
    this.#expireLater(GRACE_MS);
  }

  #expireLater(ms: number): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#expire();
      // Timers may come a little early.
    }, ms + 50).unref();
  }

  #expire(): void {
    const nowMs = this.#deps.monotonicMs();
    for (const [nodeId, { untilMs }] of this.#missed) if (untilMs <= nowMs) this.#missed.delete(nodeId);
    this.#deps.onChange();
    if (this.#missed.size > 0) this.#expireLater(GRACE_MS);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { stop } of this.#replicas.values()) stop();
  }
}
