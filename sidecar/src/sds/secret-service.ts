import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { type EncodedMessage, grpcService, SECRET_TYPE_URL } from "@hedgerow/proto";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequest,
  DiscoveryResponseSchema,
} from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { SecretDiscoveryService } from "@hedgerow/proto/envoy/service/secret/v3/sds";
import type { Svid } from "../identity/svid.ts";
import type { Logger } from "../logger.ts";
import { buildSecrets, type SecretResource } from "./secrets.ts";

/** Names that one stream may subscribe to; Envoy opens a stream a secret. */
const MAX_NAMES = 16;

/** One stream of Envoy: what it wants and what it has. */
interface Stream {
  readonly names: Set<string>;
  readonly has: Map<string, string>;
  readonly send: (nonce: string, secrets: readonly SecretResource[]) => void;
}

interface Served<Request> {
  readonly stream: Stream;
  readonly take: (request: Request) => void;
}

type DiscoveryCall = ServerDuplexStream<
  DiscoveryRequest,
  MessageInitShape<typeof DiscoveryResponseSchema> | EncodedMessage
>;
type DeltaCall = ServerDuplexStream<
  DeltaDiscoveryRequest,
  MessageInitShape<typeof DeltaDiscoveryResponseSchema> | EncodedMessage
>;

/**
 * SDS to Envoy, state of the world and delta, over whatever server it is added to. A secret that is not there yet is
 * answered when it comes; a stream gets a secret again when its content changes.
 */
export class SecretService {
  readonly #logger: Logger;
  readonly #streams = new Set<Stream>();
  #secrets: ReadonlyMap<string, SecretResource> = new Map();
  #nonces = 0;
  #rejections = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Secrets that Envoy refused since the agent started. */
  get rejections(): number {
    return this.#rejections;
  }

  /** Replaces the secrets and pushes them. */
  update(svid: Svid): void {
    this.#secrets = buildSecrets(svid);
    for (const stream of this.#streams) this.#push(stream);
  }

  /** For grpc-js `Server.addService`. */
  definition(): ReturnType<typeof grpcService> {
    return grpcService(SecretDiscoveryService, {
      streamSecrets: (call) => this.#serve(call, this.#stateOfTheWorld(call)),
      deltaSecrets: (call) => this.#serve(call, this.#delta(call)),
      fetchSecrets: (_call, callback) => callback({ code: status.UNIMPLEMENTED, details: "secrets are streamed" }),
    });
  }

  #serve<Request, Response>(call: ServerDuplexStream<Request, Response>, served: Served<Request>): void {
    this.#streams.add(served.stream);
    call.on("data", (request: Request) => {
      served.take(request);
      if (served.stream.names.size > MAX_NAMES) call.destroy(new Error("too many secrets on one stream"));
      else this.#push(served.stream);
    });
    const close = () => this.#streams.delete(served.stream);
    call.on("end", () => {
      close();
      call.end();
    });
    call.on("cancelled", close);
    call.on("error", close);
  }

  #stateOfTheWorld(call: DiscoveryCall): Served<DiscoveryRequest> {
    const stream: Stream = {
      names: new Set(),
      has: new Map(),
      send: (nonce, secrets) =>
        void call.write({
          typeUrl: SECRET_TYPE_URL,
          nonce,
          versionInfo: secrets.map(({ version }) => version).join("."),
          resources: secrets.map(({ resource }) => resource),
        }),
    };
    return {
      stream,
      take: (request) => {
        this.#logAnswer(request);
        stream.names.clear();
        for (const name of request.resourceNames) stream.names.add(name);
        // A reconnecting Envoy says which version it has, in the words of an earlier agent.
        for (const name of stream.names) {
          if (request.responseNonce === "" && request.versionInfo !== "") stream.has.set(name, request.versionInfo);
        }
      },
    };
  }

  #delta(call: DeltaCall): Served<DeltaDiscoveryRequest> {
    const stream: Stream = {
      names: new Set(),
      has: new Map(),
      send: (nonce, secrets) => void call.write({ typeUrl: SECRET_TYPE_URL, nonce, resources: [...secrets] }),
    };
    return {
      stream,
      take: (request) => {
        this.#logAnswer(request);
        for (const [name, version] of Object.entries(request.initialResourceVersions)) stream.has.set(name, version);
        for (const name of request.resourceNamesSubscribe) {
          // Subscribed again: to be sent again (xDS protocol, "Subscribing to Resources").
          if (stream.names.has(name)) stream.has.delete(name);
          stream.names.add(name);
        }
        for (const name of request.resourceNamesUnsubscribe) {
          stream.names.delete(name);
          stream.has.delete(name);
        }
      },
    };
  }

  #logAnswer(request: DiscoveryRequest | DeltaDiscoveryRequest): void {
    const { responseNonce, errorDetail } = request;
    if (errorDetail !== undefined) {
      this.#rejections += 1;
      this.#logger.error({ nonce: responseNonce, error: errorDetail.message }, "Envoy refused a secret");
    } else if (responseNonce !== "") this.#logger.debug({ nonce: responseNonce }, "Envoy accepted a secret");
  }

  #push(stream: Stream): void {
    const changed: SecretResource[] = [];
    for (const name of stream.names) {
      const secret = this.#secrets.get(name);
      if (secret !== undefined && stream.has.get(name) !== secret.version) changed.push(secret);
    }
    if (changed.length === 0) return;
    for (const { name, version } of changed) stream.has.set(name, version);
    this.#nonces += 1;
    stream.send(String(this.#nonces), changed);
  }
}
