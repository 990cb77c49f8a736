import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ChannelCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { EncodedMessage, grpcService } from "@hedgerow/proto";
import type { Node, NodeSchema } from "@hedgerow/proto/envoy/config/core/v3/base";
import { AggregatedDiscoveryService } from "@hedgerow/proto/envoy/service/discovery/v3/ads";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
} from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import type { WorkloadConfig } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { Logger } from "../logger.ts";
import { encodeEnvoyResponse } from "./delta-messages.ts";
import { type Effects, type InspectionChange, type RelayEvent, RelaySession } from "./session.ts";
import { Upstream } from "./upstream.ts";

/**
 * By then an Envoy that connected has repeated every subscription that it still has. Its longest wait on the way is the
 * warming of its clusters, 15 s by default (ConfigSource.initial_fetch_timeout).
 */
const ENVOY_SETTLED_MS = 60_000;
/** Envoy's words, in our log. */
const MAX_LOGGED_ERROR = 1024;

type EnvoyCall = ServerDuplexStream<
  DeltaDiscoveryRequest,
  MessageInitShape<typeof DeltaDiscoveryResponseSchema> | EncodedMessage
>;

/** What others in the agent hear of the relay. */
export interface RelayListener {
  readonly workloadConfig: (config: WorkloadConfig) => void;
  /** To be answered by `inspectionDone`. */
  readonly inspection: (change: InspectionChange) => void;
  readonly event: (event: RelayEvent) => void;
  readonly envoyConnected: () => void;
  readonly envoyDisconnected: () => void;
}

/** The sockets around a RelaySession: delta-ADS client of the control plane, delta-ADS server of this machine's Envoy. */
export class Relay {
  readonly #session: RelaySession;
  readonly #nodeId: string;
  readonly #listener: RelayListener;
  readonly #logger: Logger;
  readonly #upstream: Upstream;
  #envoy: EnvoyCall | undefined;
  #envoyNode: Node | undefined;
  #nodeSent = false;
  #settled: NodeJS.Timeout | undefined;
  #rejections = 0;

  constructor(options: {
    /** host:port of the control plane's mesh port. */
    readonly address: string;
    readonly nodeId: string;
    /** Of the InspectionConfig that the agent has in force. */
    readonly inspectionVersion: string | undefined;
    readonly listener: RelayListener;
    readonly random: () => number;
    readonly logger: Logger;
  }) {
    this.#nodeId = options.nodeId;
    this.#listener = options.listener;
    this.#logger = options.logger;
    this.#session = new RelaySession(options.nodeId, options.inspectionVersion);
    this.#upstream = new Upstream({
      address: options.address,
      random: options.random,
      logger: options.logger,
      listener: {
        connected: () => {
          this.#nodeSent = false;
          this.#apply(this.#session.upstreamConnected());
        },
        received: (response) => this.#apply(this.#session.fromUpstream(response)),
        disconnected: () => this.#apply(this.#session.upstreamDisconnected()),
      },
    });
  }

  get envoyConnected(): boolean {
    return this.#envoy !== undefined;
  }

  /** The control plane has answered on the stream that is open now. */
  get upstreamAnswering(): boolean {
    return this.#upstream.answering;
  }

  /** NACKs of Envoy since the agent started. */
  get rejections(): number {
    return this.#rejections;
  }

  acknowledgedCounts(): ReadonlyMap<string, number> {
    return this.#session.acknowledgedCounts();
  }

  /** Connects to the control plane; later credentials replace the connection, which Envoy does not notice. */
  useCredentials(credentials: ChannelCredentials): void {
    this.#upstream.useCredentials(credentials);
  }

  /** A change of what is inspected was made, after which this version is in force; or it was not, for these reasons. */
  inspectionDone(ticket: number, version: string | undefined, problems: readonly string[]): void {
    this.#apply(this.#session.inspectionDone(ticket, version, problems));
  }

  /** What was refused is in force after all. */
  inspectionLate(version: string | undefined): void {
    this.#apply(this.#session.inspectionLate(version));
  }

  /** For grpc-js `Server.addService`. */
  definition(): ReturnType<typeof grpcService> {
    return grpcService(AggregatedDiscoveryService, {
      deltaAggregatedResources: (call) => this.#serve(call),
      streamAggregatedResources: (call) =>
        call.emit("error", { code: status.UNIMPLEMENTED, details: "the relay speaks delta ADS alone" }),
    });
  }

  stop(): void {
    clearTimeout(this.#settled);
    this.#upstream.stop();
    this.#envoy?.end();
    this.#envoy = undefined;
  }

  #serve(call: EnvoyCall): void {
    const previous = this.#envoy;
    this.#envoy = call;
    previous?.end();
    this.#logger.info("Envoy connected");
    this.#apply(this.#session.envoyConnected());
    this.#listener.envoyConnected();
    clearTimeout(this.#settled);
    this.#settled = setTimeout(() => this.#apply(this.#session.envoySettled()), ENVOY_SETTLED_MS);
    this.#settled.unref();
    call.on("data", (request: DeltaDiscoveryRequest) => {
      if (call === this.#envoy) this.#receive(request);
    });
    const closed = () => {
      if (call !== this.#envoy) return;
      this.#envoy = undefined;
      clearTimeout(this.#settled);
      this.#logger.info("Envoy disconnected");
      this.#apply(this.#session.envoyDisconnected());
      this.#listener.envoyDisconnected();
    };
    call.on("end", () => {
      closed();
      call.end();
    });
    call.on("cancelled", closed);
    call.on("error", closed);
  }

  #receive(request: DeltaDiscoveryRequest): void {
    // On the first request of a stream.
    if (request.node !== undefined) {
      this.#envoyNode = request.node;
      // The control plane may have met us before we met Envoy: tell it now which version runs here.
      this.#nodeSent = false;
    }
    this.#apply(
      this.#session.fromEnvoy({
        typeUrl: request.typeUrl,
        subscribe: request.resourceNamesSubscribe,
        unsubscribe: request.resourceNamesUnsubscribe,
        initialVersions: request.initialResourceVersions,
        responseNonce: request.responseNonce,
        error: request.errorDetail?.message,
      }),
    );
  }

  #apply(effects: Effects): void {
    for (const response of effects.toEnvoy) {
      this.#logger.debug(
        {
          type_url: response.typeUrl,
          nonce: response.nonce,
          resources: response.resources.length,
          removed: response.removed.length,
        },
        "Sending to Envoy",
      );
      // One response a type is in flight, so that what is unwritten is bounded by what is held.
      this.#envoy?.write(new EncodedMessage(encodeEnvoyResponse(response)));
    }
    for (const request of effects.toUpstream) {
      this.#upstream.send(request, this.#nodeSent ? undefined : this.#node());
      this.#nodeSent = true;
    }
    for (const event of effects.events) this.#note(event);
    if (effects.workloadConfig !== undefined) this.#listener.workloadConfig(effects.workloadConfig);
    if (effects.inspection !== undefined) this.#listener.inspection(effects.inspection);
    if (effects.resetEnvoy !== undefined) {
      this.#logger.warn({ error: effects.resetEnvoy }, "Refusing the stream of Envoy");
      this.#envoy?.emit("error", { code: status.INVALID_ARGUMENT, details: effects.resetEnvoy });
    }
    if (effects.resetUpstream !== undefined) this.#upstream.reset(effects.resetUpstream);
  }

  #note(event: RelayEvent): void {
    switch (event.kind) {
      case "envoy_accepted":
        this.#logger.debug({ type_url: event.typeUrl }, "Envoy accepted");
        break;
      case "envoy_rejected":
        this.#rejections += 1;
        this.#logger.warn(
          { type_url: event.typeUrl, error: event.message.slice(0, MAX_LOGGED_ERROR) },
          "Envoy refused configuration",
        );
        break;
      case "stale_nonce":
        this.#logger.debug({ type_url: event.typeUrl }, "Ignored a stale nonce");
        break;
      case "own_config_rejected":
        this.#logger.error({ error: event.message }, "Refused the agent's own configuration");
        break;
    }
    this.#listener.event(event);
  }

  #node(): MessageInitShape<typeof NodeSchema> {
    const envoy = this.#envoyNode;
    return {
      id: this.#nodeId,
      cluster: this.#nodeId,
      ...(envoy === undefined
        ? {}
        : { userAgentName: envoy.userAgentName, userAgentVersionType: envoy.userAgentVersionType }),
    };
  }
}
