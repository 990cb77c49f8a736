import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type ChannelCredentials, type ClientDuplexStream, type ServiceError, status } from "@grpc/grpc-js";
import { type EncodedMessage, type GrpcClient, grpcClient } from "@hedgerow/proto";
import type { NodeSchema } from "@hedgerow/proto/envoy/config/core/v3/base";
import { AggregatedDiscoveryService } from "@hedgerow/proto/envoy/service/discovery/v3/ads";
import {
  type DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  ResourceSchema,
} from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { backoffMs } from "../backoff.ts";
import { CONTROL_PLANE_CHANNEL } from "../identity/mesh-credentials.ts";
import type { Logger } from "../logger.ts";
import type { DeltaRequest, DeltaResponse } from "./delta-messages.ts";

const BACKOFF = { baseMs: 100, maxMs: 5_000 };

type Call = ClientDuplexStream<
  MessageInitShape<typeof DeltaDiscoveryRequestSchema> | EncodedMessage,
  DeltaDiscoveryResponse
>;

/** What the owner of an upstream hears, in order: connected, responses, disconnected, connected, … */
export interface UpstreamListener {
  /** A stream has been opened: it takes requests, though the control plane may yet turn out to be away. */
  readonly connected: () => void;
  readonly received: (response: DeltaResponse) => void;
  readonly disconnected: () => void;
}

/** The delta-ADS stream to the control plane: opened again whenever it ends, with back-off, and at once with a new SVID. */
export class Upstream {
  readonly #address: string;
  readonly #listener: UpstreamListener;
  readonly #random: () => number;
  readonly #logger: Logger;
  #credentials: ChannelCredentials | undefined;
  #client: GrpcClient<typeof AggregatedDiscoveryService> | undefined;
  #call: Call | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #answering = false;
  #stopped = false;

  constructor(options: {
    /** host:port of the control plane's mesh port. */
    readonly address: string;
    readonly listener: UpstreamListener;
    readonly random: () => number;
    readonly logger: Logger;
  }) {
    this.#address = options.address;
    this.#listener = options.listener;
    this.#random = options.random;
    this.#logger = options.logger;
  }

  /** The control plane has answered on the stream that is open now. */
  get answering(): boolean {
    return this.#answering;
  }

  /** Connects, or connects again, with these credentials. */
  useCredentials(credentials: ChannelCredentials): void {
    this.#credentials = credentials;
    this.#close();
    this.#open();
  }

  /** Sends on the open stream; the node goes with the first request. */
  send(request: DeltaRequest, node: MessageInitShape<typeof NodeSchema> | undefined): void {
    this.#call?.write({
      ...(node === undefined ? {} : { node }),
      typeUrl: request.typeUrl,
      resourceNamesSubscribe: [...request.subscribe],
      resourceNamesUnsubscribe: [...request.unsubscribe],
      initialResourceVersions: { ...request.initialVersions },
      responseNonce: request.responseNonce,
      ...(request.error === undefined
        ? {}
        : { errorDetail: { code: status.INVALID_ARGUMENT, message: request.error } }),
    });
  }

  /** Ends the stream because the peer broke the protocol; it is opened again after a back-off. */
  reset(reason: string): void {
    this.#lost(this.#call, reason);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#close();
  }

  #open(): void {
    if (this.#stopped || this.#credentials === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const client = grpcClient(AggregatedDiscoveryService, this.#address, this.#credentials, CONTROL_PLANE_CHANNEL);
    const call: Call = client.deltaAggregatedResources();
    this.#client = client;
    this.#call = call;
    call.on("data", (response: DeltaDiscoveryResponse) => {
      if (call !== this.#call) return;
      this.#noteAnswer();
      this.#listener.received(toUpstreamResponse(response));
    });
    call.on("error", (error: ServiceError) => this.#lost(call, error.message));
    call.on("end", () => this.#lost(call, "the control plane ended the stream"));
    this.#listener.connected();
  }

  #noteAnswer(): void {
    if (this.#answering) return;
    this.#answering = true;
    this.#failures = 0;
    this.#logger.info({ address: this.#address }, "Connected to the control plane");
  }

  #lost(call: Call | undefined, reason: string): void {
    if (call === undefined || call !== this.#call) return;
    const wasAnswering = this.#answering;
    this.#close();
    const delayMs = backoffMs(this.#failures, BACKOFF, this.#random());
    this.#failures += 1;
    // Of a long outage, the beginning is news; the rest is for those who look for it.
    const fields = { address: this.#address, error: reason, retry_in_ms: Math.round(delayMs) };
    if (wasAnswering || this.#failures === 1) this.#logger.warn(fields, "Lost the control plane");
    else this.#logger.debug(fields, "Still without the control plane");
    this.#retry = setTimeout(() => this.#open(), delayMs);
  }

  #close(): void {
    const call = this.#call;
    if (call === undefined) return;
    this.#call = undefined;
    this.#answering = false;
    call.cancel();
    this.#client?.close();
    this.#client = undefined;
    this.#listener.disconnected();
  }
}

function toUpstreamResponse(response: DeltaDiscoveryResponse): DeltaResponse {
  return {
    typeUrl: response.typeUrl,
    nonce: response.nonce,
    resources: response.resources.map((resource) => ({
      name: resource.name,
      version: resource.version,
      encoded: toBinary(ResourceSchema, resource),
    })),
    removed: response.removedResources,
  };
}
