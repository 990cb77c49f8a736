// A typed door between protobuf-es descriptors and @grpc/grpc-js, which knows neither.
import {
  create,
  type DescMessage,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import type {
  CallOptions,
  ClientDuplexStream,
  ClientReadableStream,
  ClientUnaryCall,
  ClientWritableStream,
  Metadata,
  ServiceError,
} from "@grpc/grpc-js";
import {
  type ChannelCredentials,
  Client,
  type ClientOptions,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

type Kind = "unary" | "server_streaming" | "client_streaming" | "bidi_streaming";
type MethodShape = { methodKind: Kind; input: DescMessage; output: DescMessage };
type Methods<S> = S extends GenService<infer M> ? M : never;
type In<M> = M extends MethodShape ? MessageShape<M["input"]> : never;
type Out<M> = M extends MethodShape ? MessageShape<M["output"]> : never;
type InInit<M> = M extends MethodShape ? MessageInitShape<M["input"]> : never;
type OutInit<M> = M extends MethodShape ? MessageInitShape<M["output"]> : never;

/**
 * Bytes that are already the encoded message. A handler or client may send one in place of a message, so that bytes
 * shared between streams are encoded once.
 */
export class EncodedMessage {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

type ByKind<M, Unary, ServerStream, ClientStream, Bidi> = M extends { methodKind: "unary" }
  ? Unary
  : M extends { methodKind: "server_streaming" }
    ? ServerStream
    : M extends { methodKind: "client_streaming" }
      ? ClientStream
      : Bidi;

/** What a server implements: one grpc-js handler a method, under the method's local (camelCase) name. */
export type GrpcHandlers<S extends DescService> = {
  [K in keyof Methods<S>]: ByKind<
    Methods<S>[K],
    handleUnaryCall<In<Methods<S>[K]>, OutInit<Methods<S>[K]> | EncodedMessage>,
    handleServerStreamingCall<In<Methods<S>[K]>, OutInit<Methods<S>[K]> | EncodedMessage>,
    handleClientStreamingCall<In<Methods<S>[K]>, OutInit<Methods<S>[K]> | EncodedMessage>,
    handleBidiStreamingCall<In<Methods<S>[K]>, OutInit<Methods<S>[K]> | EncodedMessage>
  >;
};

type UnaryCall<M> = (
  request: InInit<M> | EncodedMessage,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, response?: Out<M>) => void,
) => ClientUnaryCall;
type ServerStreamCall<M> = (
  request: InInit<M> | EncodedMessage,
  metadata?: Metadata,
  options?: CallOptions,
) => ClientReadableStream<Out<M>>;
type ClientStreamCall<M> = (
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, response?: Out<M>) => void,
) => ClientWritableStream<InInit<M> | EncodedMessage>;
type BidiCall<M> = (
  metadata?: Metadata,
  options?: CallOptions,
) => ClientDuplexStream<InInit<M> | EncodedMessage, Out<M>>;

/** What a caller holds: grpc-js's own four call shapes, typed, and `close()`. */
export type GrpcClient<S extends DescService> = {
  readonly [K in keyof Methods<S>]: ByKind<
    Methods<S>[K],
    UnaryCall<Methods<S>[K]>,
    ServerStreamCall<Methods<S>[K]>,
    ClientStreamCall<Methods<S>[K]>,
    BidiCall<Methods<S>[K]>
  >;
} & { readonly close: () => void };

function serializer(schema: DescMessage): (value: object) => Buffer {
  return (value) => {
    // A message is its own init; `create` returns it as it is.
    const bytes =
      value instanceof EncodedMessage
        ? value.bytes
        : toBinary(schema, create(schema, value as MessageInitShape<DescMessage>));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function methodDefinitions(service: DescService): Record<string, MethodDefinition<object, object>> {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      {
        path: `/${service.typeName}/${method.name}`,
        requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
        responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
        requestSerialize: serializer(method.input),
        requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
        responseSerialize: serializer(method.output),
        responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
      },
    ]),
  );
}

/** The two arguments of grpc-js `Server.addService`, checked against the service's descriptor. */
export function grpcService<S extends DescService>(
  service: S,
  handlers: GrpcHandlers<S>,
): [ServiceDefinition, UntypedServiceImplementation] {
  return [methodDefinitions(service), handlers as unknown as UntypedServiceImplementation];
}

/** A grpc-js client for one service. Several clients with equal address, credentials and options share one channel. */
export function grpcClient<S extends DescService>(
  service: S,
  address: string,
  credentials: ChannelCredentials,
  options: ClientOptions = {},
): GrpcClient<S> {
  const client = new Client(address, credentials, options);
  const calls: Record<string, unknown> = { close: () => client.close() };
  for (const [name, { path, requestStream, responseStream, requestSerialize, responseDeserialize }] of Object.entries(
    methodDefinitions(service),
  )) {
    calls[name] = (...args: unknown[]) => {
      const call = requestStream
        ? responseStream
          ? client.makeBidiStreamRequest
          : client.makeClientStreamRequest
        : responseStream
          ? client.makeServerStreamRequest
          : client.makeUnaryRequest;
      // grpc-js resolves its own optional arguments; the four public shapes above say which are allowed.
      return Reflect.apply(call, client, [path, requestSerialize, responseDeserialize, ...args]);
    };
  }
  return calls as GrpcClient<S>;
}
