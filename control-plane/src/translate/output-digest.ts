// The filter that shows the agent the body of an answer as it passes.
import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { INSPECT_METADATA, OUTPUT_CLUSTER } from "@hedgerow/proto";
import {
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
} from "@hedgerow/proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc";
import {
  ProcessingMode_BodySendMode,
  ProcessingMode_HeaderSendMode,
} from "@hedgerow/proto/envoy/extensions/filters/http/ext_proc/v3/processing_mode";
import {
  type HttpFilter,
  HttpFilterSchema,
} from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import type { Inspection } from "../model/model.ts";
import { ms } from "./limits.ts";

const OUTPUT_FILTER = "hedgerow.output";
/** How long an agent has to read what it has not yet of an answer that ended. */
const LATE_MS = 5_000;

/**
 * In every inbound chain, before the router, whose answers it sees as they came; a route turns it on. It waits for nothing that the agent
 * says (observability mode), only for the agent to read: nothing is kept in memory but what is under way.
 */
export const OUTPUT_DIGEST: HttpFilter = create(HttpFilterSchema, {
  name: OUTPUT_FILTER,
  disabled: true,
  configType: {
    case: "typedConfig",
    value: anyPack(
      ExternalProcessorSchema,
      create(ExternalProcessorSchema, {
        grpcService: { targetSpecifier: { case: "envoyGrpc", value: { clusterName: OUTPUT_CLUSTER } } },
        observabilityMode: true,
        deferredCloseTimeout: ms(LATE_MS),
        failureModeAllow: true,
        processingMode: {
          requestHeaderMode: ProcessingMode_HeaderSendMode.SKIP,
          // Tell that an answer has no body, and that one with trailers is whole.
          responseHeaderMode: ProcessingMode_HeaderSendMode.SEND,
          responseTrailerMode: ProcessingMode_HeaderSendMode.SEND,
          responseBodyMode: ProcessingMode_BodySendMode.STREAMED,
        },
        // Which decision it is about.
        metadataOptions: { forwardingNamespaces: { untyped: [INSPECT_METADATA] } },
        forwardRules: { allowedHeaders: { patterns: [{ matchPattern: { case: "exact", value: ":status" } }] } },
      }),
    ),
  },
});

/** `typed_per_filter_config` of a route. */
export function outputDigestConfig(inspection: Inspection | undefined): Readonly<Record<string, Any>> {
  return inspection?.policy.spec.digests.output === true ? { [OUTPUT_FILTER]: ON } : {};
}

const ON = anyPack(
  ExtProcPerRouteSchema,
  create(ExtProcPerRouteSchema, { override: { case: "overrides", value: {} } }),
);
