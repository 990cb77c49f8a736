import { Code, ConnectError, createContextKey, type Interceptor } from "@connectrpc/connect";
import { PredictorError, type PredictorErrorCode } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { calledModel } from "./inference-service.ts";
import type { Metrics } from "./metrics.ts";

/** True once a call has reached its method, and so is counted with its own code. */
export const reachedMethod = createContextKey(false);

const CODES: Readonly<Record<PredictorErrorCode, Code>> = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  resource_exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  internal: Code.Internal,
  failed_precondition: Code.FailedPrecondition,
};

/** Turns what methods throw into errors with a code, counts every call by it, and logs what nobody expected. */
export function callOutcome(metrics: Metrics, logger: Logger): Interceptor {
  return (next) => async (request) => {
    const count = (code: string) => {
      const model = request.contextValues.get(calledModel);
      metrics.called({
        model: model?.name ?? "",
        version: model?.version ?? "",
        method: request.method.name,
        code,
      });
    };
    request.contextValues.set(reachedMethod, true);
    try {
      const response = await next(request);
      count("ok");
      return response;
    } catch (thrown) {
      const error = codedError(thrown, request.signal);
      if (error.code === Code.Internal)
        logger.error({ error: error.message, cause: error.cause, method: request.method.name }, "Call failed");
      count(codeName(error.code));
      throw error;
    }
  };
}

/** NotFound → not_found, as Connect writes it on the wire. */
function codeName(code: Code): string {
  return Code[code].replace(/(?<=[a-z])[A-Z]/g, "_$&").toLowerCase();
}

function codedError(thrown: unknown, signal: AbortSignal): ConnectError {
  if (thrown instanceof ConnectError) {
    // Of a caller who resets the stream, Connect makes an error of whatever code the caller chose, `internal` too.
    const reset = signal.aborted && thrown === signal.reason && thrown.code !== Code.DeadlineExceeded;
    return reset ? new ConnectError("the caller left", Code.Canceled) : thrown;
  }
  if (thrown instanceof PredictorError) return new ConnectError(thrown.message, CODES[thrown.code]);
  // Connect aborts a call's signal without a reason where the connection closed.
  if (thrown instanceof Error && thrown.name === "AbortError")
    return new ConnectError("the caller left", Code.Canceled);
  // What it says is for the log, not for the caller.
  return new ConnectError("internal error", Code.Internal, undefined, undefined, thrown);
}
