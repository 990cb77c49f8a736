import { type ServerOptions, status } from "@grpc/grpc-js";
import { grpcService } from "@hedgerow/proto";
import { AggregatedDiscoveryService } from "@hedgerow/proto/envoy/service/discovery/v3/ads";
import type { Logger } from "../logger.ts";
import type { MeshSnapshot, NodeId } from "../snapshot/snapshot.ts";
import { Departed } from "./departed.ts";
import { Pacer } from "./pacer.ts";
import type { ProxyState } from "./proxy-state.ts";
import { type AdsCall, type AdsEvent, AdsStream, type PeerIdentity } from "./stream.ts";

export interface AdsServerOptions {
  /** Who the peer is, from its certificate; undefined for a peer that may not have configuration. */
  identify(call: AdsCall): PeerIdentity | undefined;
  /** Unix ms. */
  now(): number;
  /** Told of every response, ACK and NACK, for metrics. A type URL may be whatever a proxy asked for. */
  counted(typeUrl: string, event: AdsEvent): void;
  readonly logger: Logger;
}

/** For the grpc-js Server that this service is added to: a dead peer is noticed within 40 s, a request stays under 4 MiB. */
export const adsServerOptions: ServerOptions = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
};

// More responses than these unflushed cost memory and give no speed (measured with 500 proxies).
const UNFLUSHED_WRITES = 32;
const WRITE_HOLD_MS = 1000;
// Longest stretch of work on the event loop.
const SLICE_MS = 10;
const COALESCE_MS = 20;

/**
 * Aggregated discovery for every proxy: incremental only; state of the world answers UNIMPLEMENTED.
 *
 * One stream speaks for a node. A newer one takes over and the older is closed with ABORTED: it is most likely what a
 * restarted agent left behind. What a stream says about itself starts from its first requests, so nothing is handed over.
 *
 * A node that no snapshot has yet waits; a node that a later snapshot leaves out keeps what it runs.
 *
 * Status of a stream that we end: UNAUTHENTICATED (identify says nobody, the certificate has ended), PERMISSION_DENIED (node id of another),
 * INVALID_ARGUMENT (first request without node, limits of a request), RESOURCE_EXHAUSTED (too many names tracked),
 * DEADLINE_EXCEEDED (no first request in 10 s, a response not taken in 30 s), ABORTED (newer stream), UNAVAILABLE (closing).
 */
export class AdsServer {
  /** The two arguments of grpc-js `Server.addService`. */
  readonly service: ReturnType<typeof grpcService>;
  readonly #options: AdsServerOptions;
  readonly #logger: Logger;
  readonly #pacer = new Pacer(UNFLUSHED_WRITES, WRITE_HOLD_MS);
  /** Streams that have not said which node they are, too. */
  readonly #streams = new Set<AdsStream>();
  readonly #nodes = new Map<NodeId, AdsStream>();
  readonly #departed = new Departed();
  readonly #listeners = new Set<() => void>();
  /** Streams that have not been offered the newest snapshot, longest waiting first. */
  readonly #pending = new Set<AdsStream>();
  #snapshot: MeshSnapshot = new Map();
  #published = 0;
  #notification: NodeJS.Timeout | undefined;
  #pass: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(options: AdsServerOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.service = grpcService(AggregatedDiscoveryService, {
      deltaAggregatedResources: (call) => this.#accept(call),
      streamAggregatedResources: (call) => {
        const details = "state of the world is not served: use incremental (delta) ADS";
        call.emit("error", { code: status.UNIMPLEMENTED, details });
      },
    });
  }

  /** Serves a newer snapshot. Returns after at most a slice of work; the rest is done between other work. */
  publish(snapshot: MeshSnapshot): void {
    this.#snapshot = snapshot;
    this.#published += 1;
    for (const stream of this.#nodes.values()) this.#pending.add(stream);
    if (this.#pass === undefined) this.#offerPending();
  }

  /** Connected proxies, and those that disconnected in the last 10 minutes. */
  states(): readonly ProxyState[] {
    return [...[...this.#nodes.values()].map((stream) => stream.state()), ...this.#departed.list(this.#options.now())];
  }

  /** Calls back soon after states() has changed, once for changes close together. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Ends every stream with UNAVAILABLE and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) stream.end(status.UNAVAILABLE, "the control plane is shutting down");
    clearImmediate(this.#pass);
    clearTimeout(this.#notification);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #accept(call: AdsCall): void {
    const peer = this.#isClosed ? undefined : this.#options.identify(call);
    if (peer === undefined) {
      const refusal = this.#isClosed
        ? { code: status.UNAVAILABLE, details: "the control plane is shutting down" }
        : { code: status.UNAUTHENTICATED, details: "the peer has no workload identity" };
      if (!this.#isClosed) this.#logger.warn({ peer: call.getPeer() }, "Peer has no workload identity");
      call.emit("error", refusal);
      return;
    }
    const stream = new AdsStream(call, peer, {
      pacer: this.#pacer,
      logger: this.#logger,
      now: () => this.#options.now(),
      counted: (typeUrl, event) => this.#options.counted(typeUrl, event),
      opened: (opened) => this.#opened(opened),
      changed: () => this.#notify(),
      closed: (closed) => this.#closed(closed),
    });
    this.#streams.add(stream);
  }

  #opened(stream: AdsStream): void {
    const { nodeId } = stream.peer;
    const older = this.#nodes.get(nodeId);
    this.#nodes.set(nodeId, stream);
    this.#departed.remove(nodeId);
    older?.end(status.ABORTED, "a newer stream of the same node took over");
    this.#offer(stream);
    this.#notify();
  }

  #closed(stream: AdsStream): void {
    this.#streams.delete(stream);
    this.#pending.delete(stream);
    if (this.#nodes.get(stream.peer.nodeId) !== stream) return;
    this.#nodes.delete(stream.peer.nodeId);
    this.#departed.add(stream.state(), this.#options.now());
    this.#notify();
  }

  // A proxy's snapshot may be made only now.
  #offer(stream: AdsStream): void {
    const snapshot = this.#snapshot.get(stream.peer.nodeId);
    if (snapshot !== undefined) stream.offer(snapshot, String(this.#published));
  }

  #offerPending(): void {
    this.#pass = undefined;
    const untilMs = performance.now() + SLICE_MS;
    for (const stream of this.#pending) {
      this.#pending.delete(stream);
      this.#offer(stream);
      if (performance.now() < untilMs) continue;
      if (this.#pending.size > 0) this.#pass = setImmediate(() => this.#offerPending());
      return;
    }
  }

  #notify(): void {
    if (this.#isClosed) return;
    this.#notification ??= setTimeout(() => {
      this.#notification = undefined;
      for (const listener of this.#listeners) listener();
    }, COALESCE_MS);
  }
}
