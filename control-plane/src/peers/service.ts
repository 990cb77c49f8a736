// PeerService (hedgerow.peer.v1): what this replica tells the others.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type ServerWritableStream, status } from "@grpc/grpc-js";
import { EncodedMessage, grpcService } from "@hedgerow/proto";
import {
  PeerService as PeerServiceSchema,
  type WatchProxiesRequest,
  WatchProxiesResponseSchema,
} from "@hedgerow/proto/hedgerow/peer/v1/peer";
import { peerOfCall } from "../ca/call-peer.ts";
import { whenExpired } from "../ca/expiry.ts";
import type { Logger } from "../logger.ts";
import type { WitnessStore } from "../witness/store.ts";
import { feedLedgers, type LedgersCall } from "./ledger-feed.ts";

type Response = MessageInitShape<typeof WatchProxiesResponseSchema>;
type Call = ServerWritableStream<WatchProxiesRequest, Response | EncodedMessage>;

const INTERVAL_MS = 250;
/** Making and sending reports takes at most one part in this many of our time. */
const SHARE = 20;
/** To each replica: a large mesh is told less often. */
const BYTES_PER_MS = 2_000;
/** Replicas come and go in a rolling update; more calls than these, two of each, are no replicas. */
const MAX_CALLS = 64;

export interface PeerServiceDeps {
  readonly trustDomain: string;
  /** Made anew whenever it is sent. */
  readonly report: () => Response;
  /** What WatchLedgers tells of. */
  readonly witness: Pick<WitnessStore, "ids" | "get" | "onWitnessed">;
  /** Unix ms, as certificates have it. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** Sends each caller the newest report at once and after changes. A caller that reads slowly skips what it missed. */
export class PeerService implements Disposable {
  readonly service: ReturnType<typeof grpcService>;
  readonly #deps: PeerServiceDeps;
  readonly #calls = new Map<Call, { isWriting: boolean; isOwed: boolean }>();
  /** Of every open call. */
  readonly #ends = new Set<(code: status, details: string) => void>();
  #timer: NodeJS.Timeout | undefined;
  #restUntilMs = 0;
  #isClosed = false;

  constructor(deps: PeerServiceDeps) {
    this.#deps = deps;
    this.service = grpcService(PeerServiceSchema, {
      watchProxies: (call: Call) => this.#accept(call, () => this.#watchProxies(call)),
      watchLedgers: (call: LedgersCall) =>
        this.#accept(call, () => {
          const failed = (err: unknown) => deps.logger.error({ err }, "Failed to tell another replica of ledgers");
          const feed = feedLedgers(call, deps.witness, failed);
          return () => feed.end();
        }),
    });
  }

  /** Something that the report says may have changed. */
  schedule(): void {
    for (const entry of this.#calls.values()) entry.isOwed = true;
    this.#wake();
  }

  /** `serve` returns what is to be done when the call is over. */
  #accept(call: Call | LedgersCall, serve: () => () => void): void {
    const { trustDomain, now, logger } = this.#deps;
    const peer = peerOfCall(trustDomain, call, now());
    const refuse = (code: status, details: string) => {
      call.emit("error", { code, details });
    };
    if (this.#isClosed) refuse(status.UNAVAILABLE, "the control plane is shutting down");
    else if (peer?.kind !== "control-plane") {
      logger.warn({ peer: call.getPeer() }, "Refused peer call");
      refuse(status.PERMISSION_DENIED, "the client certificate is not the control plane's");
    } else if (this.#ends.size >= MAX_CALLS) refuse(status.RESOURCE_EXHAUSTED, "too many replicas watch");
    else {
      const over = serve();
      const forget = () => {
        this.#ends.delete(end);
        forgetExpiry();
        over();
      };
      const end = (code: status, details: string) => {
        if (!this.#ends.has(end)) return;
        forget();
        refuse(code, details);
      };
      this.#ends.add(end);
      const forgetExpiry = whenExpired(peer.notAfterMs, now, () =>
        end(status.UNAUTHENTICATED, "the certificate has expired"),
      );
      call.on("cancelled", forget);
      call.on("error", forget);
    }
  }

  #watchProxies(call: Call): () => void {
    this.#calls.set(call, { isWriting: false, isOwed: true });
    this.#wake();
    return () => this.#calls.delete(call);
  }

  #wake(): void {
    if (this.#isClosed || this.#calls.size === 0) return;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#send();
      },
      Math.max(0, this.#restUntilMs - performance.now()),
    ).unref();
  }

  #send(): void {
    const owed = [...this.#calls].filter(([, { isOwed, isWriting }]) => isOwed && !isWriting);
    if (owed.length === 0) return;
    const startMs = performance.now();
    const report = new EncodedMessage(
      toBinary(WatchProxiesResponseSchema, create(WatchProxiesResponseSchema, this.#deps.report())),
    );
    for (const [call, entry] of owed) {
      entry.isOwed = false;
      entry.isWriting = true;
      call.write(report, () => {
        entry.isWriting = false;
        if (entry.isOwed) this.#wake();
      });
    }
    const tookMs = performance.now() - startMs;
    this.#restUntilMs = performance.now() + Math.max(INTERVAL_MS, tookMs * SHARE, report.bytes.length / BYTES_PER_MS);
  }

  /** Ends every call with UNAVAILABLE. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const end of this.#ends) end(status.UNAVAILABLE, "the control plane is shutting down");
  }
}
