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

type Response = MessageInitShape<typeof WatchProxiesResponseSchema>;
type Call = ServerWritableStream<WatchProxiesRequest, Response | EncodedMessage>;

const INTERVAL_MS = 250;
/** Making and sending reports takes at most one part in this many of our time. */
const SHARE = 20;
/** To each replica: a large mesh is told less often. */
const BYTES_PER_MS = 2_000;
/** Replicas come and go in a rolling update; more calls than these are no replicas. */
const MAX_CALLS = 32;

export interface PeerServiceDeps {
  readonly trustDomain: string;
  /** Made anew whenever it is sent. */
  readonly report: () => Response;
  /** Unix ms, as certificates have it. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** Sends each caller the newest report at once and after changes. A caller that reads slowly skips what it missed. */
export class PeerService implements Disposable {
  readonly service: ReturnType<typeof grpcService>;
  readonly #deps: PeerServiceDeps;
  readonly #calls = new Map<
    Call,
    { isWriting: boolean; isOwed: boolean; readonly end: (code: status, details: string) => void }
  >();
  #timer: NodeJS.Timeout | undefined;
  #restUntilMs = 0;
  #isClosed = false;

  constructor(deps: PeerServiceDeps) {
    this.#deps = deps;
    this.service = grpcService(PeerServiceSchema, { watchProxies: (call) => this.#accept(call) });
  }

  /** Something that the report says may have changed. */
  schedule(): void {
    for (const entry of this.#calls.values()) entry.isOwed = true;
    this.#wake();
  }

  #accept(call: Call): void {
    const { trustDomain, now, logger } = this.#deps;
    const peer = peerOfCall(trustDomain, call, now());
    const refuse = (code: status, details: string) => {
      call.emit("error", { code, details });
    };
    if (this.#isClosed) refuse(status.UNAVAILABLE, "the control plane is shutting down");
    else if (peer?.kind !== "control-plane") {
      logger.warn({ peer: call.getPeer() }, "Refused peer call");
      refuse(status.PERMISSION_DENIED, "the client certificate is not the control plane's");
    } else if (this.#calls.size >= MAX_CALLS) refuse(status.RESOURCE_EXHAUSTED, "too many replicas watch");
    else this.#serve(call, peer.notAfterMs, refuse);
  }

  #serve(call: Call, notAfterMs: number, refuse: (code: status, details: string) => void): void {
    const forget = () => {
      this.#calls.delete(call);
      forgetExpiry();
    };
    const end = (code: status, details: string) => {
      if (!this.#calls.has(call)) return;
      forget();
      refuse(code, details);
    };
    this.#calls.set(call, { isWriting: false, isOwed: true, end });
    const forgetExpiry = whenExpired(notAfterMs, this.#deps.now, () =>
      end(status.UNAUTHENTICATED, "the certificate has expired"),
    );
    call.on("cancelled", forget);
    call.on("error", forget);
    this.#wake();
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
    for (const { end } of this.#calls.values()) end(status.UNAVAILABLE, "the control plane is shutting down");
  }
}
