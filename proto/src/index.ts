export { EncodedMessage, type GrpcClient, type GrpcHandlers, grpcClient, grpcService } from "./grpc-service.ts";
export {
  ADS_TYPE_URLS,
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  SECRET_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "./type-urls.ts";
