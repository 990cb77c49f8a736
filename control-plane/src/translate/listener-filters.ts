// What looks at a connection before a filter chain is chosen for it.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { ListenerFilterSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import { HttpInspectorSchema } from "@hedgerow/proto/envoy/extensions/filters/listener/http_inspector/v3/http_inspector";
import { OriginalDstSchema } from "@hedgerow/proto/envoy/extensions/filters/listener/original_dst/v3/original_dst";
import { TlsInspectorSchema } from "@hedgerow/proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector";

type ListenerFilter = MessageInitShape<typeof ListenerFilterSchema>;

/** The address and port that a captured connection was made to. */
export const ORIGINAL_DST: ListenerFilter = {
  name: "envoy.filters.listener.original_dst",
  configType: { case: "typedConfig", value: anyPack(OriginalDstSchema, create(OriginalDstSchema)) },
};

/** Whether it is TLS, and the server name and ALPN in its first message. */
export const TLS_INSPECTOR: ListenerFilter = {
  name: "envoy.filters.listener.tls_inspector",
  configType: { case: "typedConfig", value: anyPack(TlsInspectorSchema, create(TlsInspectorSchema)) },
};

/** Whether plain text is HTTP. */
export const HTTP_INSPECTOR: ListenerFilter = {
  name: "envoy.filters.listener.http_inspector",
  configType: { case: "typedConfig", value: anyPack(HttpInspectorSchema, create(HttpInspectorSchema)) },
};

/** What the HTTP inspector calls what it finds. */
export const PLAIN_HTTP: readonly string[] = ["http/1.0", "http/1.1", "h2c"];
