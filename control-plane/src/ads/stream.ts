import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { EncodedMessage } from "@hedgerow/proto";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
} from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { whenExpired } from "../ca/expiry.ts";
import type { Logger } from "../logger.ts";
import type { NodeId, ProxySnapshot } from "../snapshot/snapshot.ts";
import { encodeResponse } from "./encode.ts";
import type { Pacer } from "./pacer.ts";
import type { ProxyState } from "./proxy-state.ts";
import { readRequest } from "./request.ts";
import { Session, type SessionEffect, type SessionEvent } from "./session.ts";

export type AdsCall = ServerDuplexStream<
  DeltaDiscoveryRequest,
  MessageInitShape<typeof DeltaDiscoveryResponseSchema> | EncodedMessage
>;

/** Who the peer's certificate says it is, and the one node id that it owns. */
export interface PeerIdentity {
  readonly spiffeId: string;
  readonly nodeId: NodeId;
  /** When the certificate ends, and the stream with it, Unix ms. */
  readonly notAfterMs: number;
}

export type AdsEvent = "pushed" | "acknowledged" | "rejected";

export interface StreamOwner {
  readonly pacer: Pacer;
  readonly logger: Logger;
  now(): number;
  /** The first request was accepted: the stream now speaks for its node. */
  opened(stream: AdsStream): void;
  /** Something went out on a stream, or was answered; for metrics. */
  counted(typeUrl: string, event: AdsEvent): void;
  /** Its state changed. */
  changed(): void;
  /** It has ended, or is about to. Called once. */
  closed(stream: AdsStream): void;
}

// A peer that opens a stream and says nothing, or does not take what it asked for, is let go.
const FIRST_REQUEST_MS = 10_000;
const WRITE_MS = 30_000;

/** One stream: a session, and the call that it drives. One response is written at a time. */
export class AdsStream {
  readonly peer: PeerIdentity;
  readonly #call: AdsCall;
  readonly #owner: StreamOwner;
  readonly #session = new Session();
  readonly #connectedAtMs: number;
  #logger: Logger;
  #offered: ProxySnapshot | undefined;
  #versionInfo = "";
  #envoyVersion = "";
  #isOpen = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #forgetExpiry: () => void;

  constructor(call: AdsCall, peer: PeerIdentity, owner: StreamOwner) {
    this.peer = peer;
    this.#call = call;
    this.#owner = owner;
    this.#logger = owner.logger.child({ node_id: peer.nodeId });
    this.#connectedAtMs = owner.now();
    this.#watch(FIRST_REQUEST_MS, "no request came");
    // Agents come with a new certificate long before.
    this.#forgetExpiry = whenExpired(
      peer.notAfterMs,
      () => owner.now(),
      () => this.end(status.UNAUTHENTICATED, "the SVID has expired"),
    );
    call.on("data", (message: DeltaDiscoveryRequest) => this.#receive(message));
    // The peer closed its side, reset the stream, or is gone.
    call.on("end", () => {
      if (this.#close()) call.end();
    });
    call.on("cancelled", () => void this.#close());
    call.on("error", () => void this.#close());
  }

  /** The newest snapshot for this node; the one that it has already changes nothing. */
  offer(snapshot: ProxySnapshot, versionInfo: string): void {
    if (snapshot === this.#offered) return;
    this.#offered = snapshot;
    this.#versionInfo = versionInfo;
    this.#handle({ kind: "snapshot", snapshot });
  }

  /** Ends the stream with a status that the peer sees. */
  end(code: status, details: string): void {
    if (this.#close()) this.#call.emit("error", { code, details });
  }

  state(): ProxyState {
    return {
      nodeId: this.peer.nodeId,
      spiffeId: this.peer.spiffeId,
      connected: !this.#isClosed,
      connectedAtMs: this.#connectedAtMs,
      envoyVersion: this.#envoyVersion,
      types: this.#session.typeStates(),
    };
  }

  #receive(message: DeltaDiscoveryRequest): void {
    if (this.#isClosed) return;
    const { node } = message;
    if (node === undefined && !this.#isOpen) {
      this.end(status.INVALID_ARGUMENT, "the first request has no node");
      return;
    }
    if (node !== undefined && node.id !== this.peer.nodeId) {
      // Whose node it claimed is for the operator, not for the peer.
      this.#logger.warn({ claimed_node_id: node.id, spiffe_id: this.peer.spiffeId }, "Node id is not the peer's");
      this.end(status.PERMISSION_DENIED, "the node id is not the one that the certificate owns");
      return;
    }
    if (node?.userAgentVersionType.case === "userAgentBuildVersion") {
      const version = node.userAgentVersionType.value.version;
      if (version) this.#envoyVersion = `${version.majorNumber}.${version.minorNumber}.${version.patch}`;
    } else if (node?.userAgentVersionType.case === "userAgentVersion") {
      this.#envoyVersion = node.userAgentVersionType.value;
    }
    const request = readRequest(message);
    if (!request.ok) {
      this.end(status.INVALID_ARGUMENT, request.problem);
      return;
    }
    if (!this.#isOpen) this.#open();
    this.#handle({ kind: "request", request: request.value, nowMs: this.#owner.now() });
  }

  #open(): void {
    this.#isOpen = true;
    clearTimeout(this.#timer);
    this.#logger.info({ spiffe_id: this.peer.spiffeId, envoy_version: this.#envoyVersion }, "Proxy connected");
    this.#owner.opened(this);
  }

  #handle(event: SessionEvent): void {
    if (this.#isClosed) return;
    let effects: readonly SessionEffect[];
    try {
      effects = this.#session.handle(event);
    } catch (error) {
      // A fault of ours on one proxy's content must not end the others' streams.
      this.#logger.error({ err: error }, "Session failed");
      this.end(status.INTERNAL, "internal error");
      return;
    }
    for (const effect of effects) this.#apply(effect);
  }

  #apply(effect: SessionEffect): void {
    switch (effect.kind) {
      case "send":
        this.#owner.pacer.run((done) => this.#write(effect, done));
        break;
      case "acknowledged":
        this.#logger.debug({ type_url: effect.typeUrl, nonce: effect.nonce }, "Response acknowledged");
        this.#owner.counted(effect.typeUrl, effect.kind);
        this.#owner.changed();
        break;
      case "rejected":
        this.#logger.warn(
          { type_url: effect.typeUrl, nonce: effect.nonce, resources: effect.blamed, error_message: effect.message },
          "Response rejected",
        );
        this.#owner.counted(effect.typeUrl, effect.kind);
        this.#owner.changed();
        break;
      case "refuse":
        this.end(status.RESOURCE_EXHAUSTED, effect.problem);
        break;
    }
  }

  #write(effect: Extract<SessionEffect, { kind: "send" }>, done: () => void): void {
    if (this.#isClosed) {
      done();
      return;
    }
    const { typeUrl, nonce, resources, removed } = effect;
    this.#logger.debug(
      { type_url: typeUrl, nonce, resources: resources.length, removed: removed.length },
      "Response sent",
    );
    this.#owner.counted(typeUrl, "pushed");
    this.#watch(WRITE_MS, "a response was not taken");
    // Written means taken by the connection: a proxy that does not read stops here, with one response.
    this.#call.write(new EncodedMessage(encodeResponse(effect, nonce, this.#versionInfo)), () => {
      clearTimeout(this.#timer);
      done();
      this.#handle({ kind: "written" });
    });
  }

  #watch(ms: number, problem: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#logger.warn({ timeout_ms: ms }, "Proxy is stuck");
      this.end(status.DEADLINE_EXCEEDED, `${problem} in ${ms / 1000} s`);
    }, ms);
    this.#timer.unref();
  }

  #close(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#forgetExpiry();
    if (this.#isOpen) this.#logger.info("Proxy disconnected");
    this.#owner.closed(this);
    return true;
  }
}
