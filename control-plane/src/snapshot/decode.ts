import { createRegistry, fromBinary, type Message, type Registry } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import { FileAccessLogSchema } from "@hedgerow/proto/envoy/extensions/access_loggers/file/v3/file";
import { ExpressionFilterSchema } from "@hedgerow/proto/envoy/extensions/access_loggers/filters/cel/v3/cel";
import { StdoutAccessLogSchema } from "@hedgerow/proto/envoy/extensions/access_loggers/stream/v3/stream";
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from "@hedgerow/proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz";
import {
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
} from "@hedgerow/proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc";
import { RBACPerRouteSchema, RBACSchema } from "@hedgerow/proto/envoy/extensions/filters/http/rbac/v3/rbac";
import { RouterSchema } from "@hedgerow/proto/envoy/extensions/filters/http/router/v3/router";
import { HttpInspectorSchema } from "@hedgerow/proto/envoy/extensions/filters/listener/http_inspector/v3/http_inspector";
import { OriginalDstSchema } from "@hedgerow/proto/envoy/extensions/filters/listener/original_dst/v3/original_dst";
import { TlsInspectorSchema } from "@hedgerow/proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector";
import { HttpConnectionManagerSchema } from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { TcpProxySchema } from "@hedgerow/proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy";
import { PreviousHostsPredicateSchema } from "@hedgerow/proto/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts";
import { RawBufferSchema } from "@hedgerow/proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@hedgerow/proto/envoy/extensions/transport_sockets/tls/v3/tls";
import { HttpProtocolOptionsSchema } from "@hedgerow/proto/envoy/extensions/upstreams/http/v3/http_protocol_options";
import { ResourceSchema, type Resource as WireResource } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { InspectionConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { TypedStructSchema } from "@hedgerow/proto/xds/type/v3/typed_struct";
import type { Resource } from "./snapshot.ts";

/** Every message that stands in an Any of what we serve, at any depth. */
export const REGISTRY: Registry = createRegistry(
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  DownstreamTlsContextSchema,
  ExpressionFilterSchema,
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
  ExtProcPerRouteSchema,
  ExternalProcessorSchema,
  FileAccessLogSchema,
  HttpConnectionManagerSchema,
  HttpInspectorSchema,
  HttpProtocolOptionsSchema,
  InspectionConfigSchema,
  ListenerSchema,
  OriginalDstSchema,
  PreviousHostsPredicateSchema,
  RBACPerRouteSchema,
  RBACSchema,
  RawBufferSchema,
  RouteConfigurationSchema,
  RouterSchema,
  StdoutAccessLogSchema,
  TcpProxySchema,
  TlsInspectorSchema,
  TypedStructSchema,
  UpstreamTlsContextSchema,
  WorkloadConfigSchema,
);

/** The message inside a resource's bytes, as a proxy reads it. Throws on bytes that are not ours. */
export function decodeResource(resource: Resource): Message {
  const message = anyUnpack(decodeWire(resource), REGISTRY);
  if (message === undefined) throw new Error(`resource ${resource.name} is of a type that is not in the registry`);
  return message;
}

function decodeWire({ encoded, name }: Resource): NonNullable<WireResource["resource"]> {
  const { resource } = fromBinary(ResourceSchema, encoded);
  if (resource === undefined) throw new Error(`resource ${name} holds no message`);
  return resource;
}
