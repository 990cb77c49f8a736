// How an endpoint outside the mesh is called in plain text while all others of its cluster are called over mTLS.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { Cluster_TransportSocketMatchSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import type { MetadataSchema } from "@hedgerow/proto/envoy/config/core/v3/base";
import { RawBufferSchema } from "@hedgerow/proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer";

const MARK = { outside: true };

/** Of a cluster: for endpoints with the mark. */
export const PLAIN_TEXT: MessageInitShape<typeof Cluster_TransportSocketMatchSchema> = {
  name: "outside the mesh",
  match: MARK,
  transportSocket: {
    name: "envoy.transport_sockets.raw_buffer",
    configType: { case: "typedConfig", value: anyPack(RawBufferSchema, create(RawBufferSchema)) },
  },
};

/** The mark, on an endpoint. */
export const PLAIN_TEXT_ENDPOINT: MessageInitShape<typeof MetadataSchema> = {
  filterMetadata: { "envoy.transport_socket_match": MARK },
};
