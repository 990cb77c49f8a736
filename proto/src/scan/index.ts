export { type ConnectGet, type ConnectGetResult, readConnectGet } from "./connect-get.ts";
export { REQUEST_SCAN_LIMITS } from "./limits.ts";
export { type ScanLimits, type ScanResult, scanBinary } from "./scan-binary.ts";
export { type JsonScanLimits, type JsonScanResult, scanJson } from "./scan-json.ts";
