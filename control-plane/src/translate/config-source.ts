import { create } from "@bufbuild/protobuf";
import {
  AggregatedConfigSourceSchema,
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from "@hedgerow/proto/envoy/config/core/v3/config_source";
import { ms } from "./limits.ts";

// No time limit: an Envoy that has no routes, endpoints or certificates yet is not ready; it must not serve without them.
const initialFetchTimeout = ms(0);

/** From the stream that the resource itself came on. */
export const ADS_SOURCE: ConfigSource = create(ConfigSourceSchema, {
  configSourceSpecifier: { case: "ads", value: create(AggregatedConfigSourceSchema) },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout,
});

/** From the agent, which alone holds the keys: cluster `sds` of the bootstrap. */
export const SDS_SOURCE: ConfigSource = create(ConfigSourceSchema, {
  configSourceSpecifier: {
    case: "apiConfigSource",
    value: {
      apiType: ApiConfigSource_ApiType.GRPC,
      transportApiVersion: ApiVersion.V3,
      grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: "sds" } } }],
    },
  },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout,
});
