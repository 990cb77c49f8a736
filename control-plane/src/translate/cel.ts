import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { type AccessLogFilter, AccessLogFilterSchema } from "@hedgerow/proto/envoy/config/accesslog/v3/accesslog";
import { ExpressionFilterSchema } from "@hedgerow/proto/envoy/extensions/access_loggers/filters/cel/v3/cel";

/** True where the CEL expression is; not where it fails, as on an absent header. */
export function celFilter(expression: string): AccessLogFilter {
  return create(AccessLogFilterSchema, {
    filterSpecifier: {
      case: "extensionFilter",
      value: {
        name: "cel",
        configType: {
          case: "typedConfig",
          value: anyPack(ExpressionFilterSchema, create(ExpressionFilterSchema, { expression })),
        },
      },
    },
  });
}
