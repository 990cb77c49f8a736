export { EncodedMessage, type GrpcClient, type GrpcHandlers, grpcClient, grpcService } from "./grpc-service.ts";
export {
  AUDIT_METADATA,
  AUDIT_METADATA_POLICY,
  DECISION_HEADER,
  INSPECT_CLUSTER,
  INSPECT_FILTER_CLOSED,
  INSPECT_FILTER_OPEN,
  MAX_REQUEST_BYTES_HEADER,
  OUTCOME_LOG,
  UNSERVED_HEADER,
} from "./inspection-names.ts";
export {
  ADS_TYPE_URLS,
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  SECRET_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "./type-urls.ts";
