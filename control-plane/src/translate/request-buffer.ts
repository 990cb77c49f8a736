import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { sizeDelimitedEncode, WireType } from "@bufbuild/protobuf/wire";
import { UInt64ValueSchema } from "@bufbuild/protobuf/wkt";
import { type VirtualHost, VirtualHostSchema } from "@hedgerow/proto/envoy/config/route/v3/route_components";

/**
 * A VirtualHost whose requests are held whole, up to so many bytes, to be tried again; undefined: as its listener says.
 *
 * NOTE: an unknown field, because the API tree that our types come from is older than `request_body_buffer_limit` (25),
 * google.protobuf.UInt64Value (Envoy 1.36). The older `per_request_buffer_limit_bytes` can only go below the listener's limit.
 */
export function virtualHost(
  init: MessageInitShape<typeof VirtualHostSchema>,
  maxRequestBytes: number | undefined,
): VirtualHost {
  const host = create(VirtualHostSchema, init);
  if (maxRequestBytes === undefined) return host;
  const data = sizeDelimitedEncode(UInt64ValueSchema, create(UInt64ValueSchema, { value: BigInt(maxRequestBytes) }));
  host.$unknown = [{ no: 25, wireType: WireType.LengthDelimited, data }];
  return host;
}
