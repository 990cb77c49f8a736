import { X509Certificate } from "node:crypto";
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { grpcService } from "@hedgerow/proto";
import { AggregatedDiscoveryService } from "@hedgerow/proto/envoy/service/discovery/v3/ads";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
} from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { type ReportRequest, ReportService } from "@hedgerow/proto/hedgerow/agent/v1/report";
import { CertificateService, EnrollmentService } from "@hedgerow/proto/hedgerow/ca/v1/ca";
import type { TestCa } from "./test-ca.ts";
import { until } from "./until.ts";

interface ServedResource {
  readonly version: string;
  readonly resource: Any;
}

interface TypeOnStream {
  wildcard: boolean;
  readonly names: Set<string>;
  readonly known: Map<string, string>;
  inFlight: string | undefined;
}

type AdsCall = ServerDuplexStream<DeltaDiscoveryRequest, MessageShape<typeof DeltaDiscoveryResponseSchema>>;

/** A control plane that serves what a test gives it, and remembers what it was told. */
export class ScriptedControlPlane implements AsyncDisposable {
  readonly ca: TestCa;
  readonly #nodeId: string;
  readonly #identity: string;
  readonly #resources = new Map<string, Map<string, ServedResource>>();
  readonly #streams = new Map<AdsCall, Map<string, TypeOnStream>>();
  #servers: Server[] = [];
  #ports: [enroll: number, mesh: number] = [0, 0];
  #nonces = 0;
  /** Every request on ADS since the start, the oldest first. */
  readonly requests: DeltaDiscoveryRequest[] = [];
  readonly reports: ReportRequest[] = [];
  readonly tokens: string[] = [];
  /** Public keys that were signed. */
  readonly keys: Set<string> = new Set();
  /** Set to refuse every enrolment with these words. */
  refusal: string | undefined;
  streamsOpened = 0;
  renewals = 0;

  /** `identity` replaces the control plane's own SPIFFE id in its certificate. */
  constructor(ca: TestCa, nodeId: string, identity?: string) {
    this.ca = ca;
    this.#nodeId = nodeId;
    this.#identity = identity ?? `spiffe://${ca.trustDomain}/ns/hedgerow-system/sa/control-plane`;
  }

  get enrollAddress(): string {
    return `127.0.0.1:${this.#ports[0]}`;
  }

  get meshAddress(): string {
    return `127.0.0.1:${this.#ports[1]}`;
  }

  /** Listens; a second time on the ports of before. */
  async start(): Promise<void> {
    const { key, chain } = this.ca.server(this.#identity);
    const pair = [{ private_key: Buffer.from(key), cert_chain: Buffer.from(chain) }];
    const enroll = new Server();
    enroll.addService(
      ...grpcService(EnrollmentService, {
        enroll: (call, callback) => {
          this.tokens.push(call.request.token);
          if (this.refusal === undefined) this.#sign(call.request.csr, callback);
          else callback({ code: status.UNAUTHENTICATED, details: this.refusal });
        },
      }),
    );
    const mesh = new Server();
    mesh.addService(
      ...grpcService(CertificateService, {
        renew: (call, callback) => {
          this.renewals += 1;
          this.#sign(call.request.csr, callback);
        },
      }),
    );
    mesh.addService(
      ...grpcService(ReportService, {
        report: (call, callback) => {
          call.on("data", (report: ReportRequest) => this.reports.push(report));
          call.on("end", () => callback(null, {}));
        },
      }),
    );
    mesh.addService(
      ...grpcService(AggregatedDiscoveryService, {
        deltaAggregatedResources: (call) => this.#serve(call as AdsCall),
        streamAggregatedResources: (call) => call.emit("error", { code: status.UNIMPLEMENTED }),
      }),
    );
    const root = Buffer.from(this.ca.root.toString());
    this.#ports = [
      await bind(enroll, this.#ports[0], ServerCredentials.createSsl(null, pair)),
      await bind(mesh, this.#ports[1], ServerCredentials.createSsl(root, pair, true)),
    ];
    this.#servers = [enroll, mesh];
  }

  /** Goes as a crash does. */
  stop(): void {
    for (const server of this.#servers) server.forceShutdown();
    this.#servers = [];
    this.#streams.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    return Promise.resolve();
  }

  /** Serves these resources of a type from now on, by name, and no others. */
  set<Desc extends DescMessage>(
    schema: Desc,
    resources: Readonly<Record<string, readonly [version: string, message: MessageShape<Desc>]>>,
  ): void {
    const served = new Map(
      Object.entries(resources).map(([name, [version, message]]) => [
        name,
        { version, resource: anyPack(schema, message) },
      ]),
    );
    this.#resources.set(typeUrlOf(schema), served);
    for (const [call, types] of this.#streams) {
      const type = types.get(typeUrlOf(schema));
      if (type !== undefined) this.#push(call, typeUrlOf(schema), type, new Set());
    }
  }

  /** Awaits that a response to this type was acknowledged after `since` requests. */
  async acknowledged(schema: DescMessage, since = 0): Promise<void> {
    await until(`ACK of ${schema.typeName}`, () =>
      this.requests
        .slice(since)
        .some(
          (request) =>
            request.typeUrl === typeUrlOf(schema) && request.responseNonce !== "" && request.errorDetail === undefined,
        ),
    );
  }

  #sign(csr: Uint8Array, callback: (error: { code: status; details: string } | null, answer?: object) => void): void {
    try {
      const svid = this.ca.sign(csr, this.#nodeId);
      const [leaf] = svid.certificateChain;
      if (leaf) this.keys.add(new X509Certificate(leaf).publicKey.export({ type: "spki", format: "pem" }).toString());
      callback(null, { svid });
    } catch (error) {
      callback({ code: status.INVALID_ARGUMENT, details: String(error) });
    }
  }

  #serve(call: AdsCall): void {
    const types = new Map<string, TypeOnStream>();
    this.streamsOpened += 1;
    this.#streams.set(call, types);
    call.on("data", (request: DeltaDiscoveryRequest) => {
      this.requests.push(request);
      const first = !types.has(request.typeUrl);
      const type = types.get(request.typeUrl) ?? {
        wildcard: request.resourceNamesSubscribe.length === 0,
        names: new Set(),
        known: new Map(Object.entries(request.initialResourceVersions)),
        inFlight: undefined,
      };
      types.set(request.typeUrl, type);
      if (request.responseNonce === type.inFlight) type.inFlight = undefined;
      for (const name of request.resourceNamesSubscribe) type.names.add(name);
      for (const name of request.resourceNamesUnsubscribe) {
        type.names.delete(name);
        type.known.delete(name);
      }
      this.#push(call, request.typeUrl, type, new Set(request.resourceNamesSubscribe), first && type.wildcard);
    });
    call.on("end", () => {
      this.#streams.delete(call);
      call.end();
    });
    call.on("cancelled", () => this.#streams.delete(call));
    call.on("error", () => this.#streams.delete(call));
  }

  #push(call: AdsCall, typeUrl: string, type: TypeOnStream, asked: ReadonlySet<string>, always = false): void {
    if (type.inFlight !== undefined) return;
    const served = this.#resources.get(typeUrl) ?? new Map<string, ServedResource>();
    const resources: { name: string; version: string; resource: Any }[] = [];
    for (const [name, { version, resource }] of served) {
      if (!(type.wildcard || type.names.has(name)) || type.known.get(name) === version) continue;
      resources.push({ name, version, resource });
      type.known.set(name, version);
    }
    const removedResources = [...type.known.keys(), ...asked].filter((name) => !served.has(name));
    for (const name of removedResources) type.known.delete(name);
    if (resources.length === 0 && removedResources.length === 0 && !always) return;
    this.#nonces += 1;
    type.inFlight = `cp-${this.#nonces}`;
    call.write(create(DeltaDiscoveryResponseSchema, { typeUrl, nonce: type.inFlight, resources, removedResources }));
  }
}

function typeUrlOf(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`;
}

async function bind(server: Server, port: number, credentials: ServerCredentials): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  return await promise;
}
