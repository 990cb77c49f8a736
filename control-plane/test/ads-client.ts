// A scripted ADS client over a real socket: `await client.subscribe(…)`, `await client.expect(…)`.
import { type ChannelCredentials, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { type GrpcClient, grpcClient } from "@hedgerow/proto";
import { AggregatedDiscoveryService } from "@hedgerow/proto/envoy/service/discovery/v3/ads";
import type { DeltaDiscoveryResponse } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";

interface Subscription {
  readonly typeUrl: string;
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly versions?: Readonly<Record<string, string>>;
}

/** What came, in short. */
export interface Received {
  readonly typeUrl: string;
  readonly names: readonly string[];
  readonly removed: readonly string[];
  readonly nonce: string;
  readonly message: DeltaDiscoveryResponse;
}

export class AdsClient {
  readonly #client: GrpcClient<typeof AggregatedDiscoveryService>;
  readonly #call: ReturnType<GrpcClient<typeof AggregatedDiscoveryService>["deltaAggregatedResources"]>;
  readonly #received: Received[] = [];
  readonly #waiting: ((received: Received) => void)[] = [];
  readonly #failures: ((error: Error) => void)[] = [];
  #node: { readonly id: string } | undefined;
  /** How the stream ended. */
  readonly ended: Promise<{ readonly code: number; readonly details: string }>;

  /** Without credentials, `peer` is who the certificate would say this is. */
  constructor(
    address: string,
    peer: string,
    nodeId: string = peer,
    channel: ChannelCredentials = credentials.createInsecure(),
  ) {
    // Clients with equal address and options would share one connection.
    this.#client = grpcClient(AggregatedDiscoveryService, address, channel, {
      "grpc.use_local_subchannel_pool": 1,
    });
    const metadata = new Metadata();
    metadata.set("peer", peer);
    this.#node = { id: nodeId };
    this.#call = this.#client.deltaAggregatedResources(metadata);
    this.#call.on("data", (message: DeltaDiscoveryResponse) => this.#take(message));
    this.ended = new Promise((resolve) => {
      this.#call.on("error", ({ code, details }: ServiceError) => {
        resolve({ code, details });
        for (const fail of this.#failures) fail(new Error(`stream ended: ${code} ${details}`));
      });
      this.#call.on("end", () => resolve({ code: 0, details: "" }));
    });
  }

  subscribe({ typeUrl, subscribe = [], unsubscribe = [], versions = {} }: Subscription): this {
    this.#write({
      typeUrl,
      resourceNamesSubscribe: [...subscribe],
      resourceNamesUnsubscribe: [...unsubscribe],
      initialResourceVersions: versions,
    });
    return this;
  }

  /** The next response. */
  next(): Promise<Received> {
    const first = this.#received.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      this.#failures.push(reject);
    });
  }

  ack({ typeUrl, nonce }: Received): this {
    this.#write({ typeUrl, responseNonce: nonce });
    return this;
  }

  nack({ typeUrl, nonce }: Received, message: string): this {
    this.#write({ typeUrl, responseNonce: nonce, errorDetail: { code: 13, message } });
    return this;
  }

  /** Takes the next response and acknowledges it. */
  async take(): Promise<Received> {
    const received = await this.next();
    this.ack(received);
    return received;
  }

  /** Responses that came and nobody took. */
  get pending(): number {
    return this.#received.length;
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }

  #write(request: object): void {
    this.#call.write(this.#node === undefined ? request : { node: this.#node, ...request });
    // As Envoy with set_node_on_first_message_only.
    this.#node = undefined;
  }

  #take(message: DeltaDiscoveryResponse): void {
    const received = {
      typeUrl: message.typeUrl,
      names: message.resources.map(({ name }) => name),
      removed: message.removedResources,
      nonce: message.nonce,
      message,
    };
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#received.push(received);
    else waiting(received);
  }
}
