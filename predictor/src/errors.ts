/** Why a request was not answered; the edge turns these into the codes of Connect and gRPC of the same name. */
export type PredictorErrorCode =
  | "invalid_argument"
  | "not_found"
  | "resource_exhausted"
  | "unavailable"
  | "internal"
  | "failed_precondition";

/**
 * Base of everything that this package throws on purpose. `code` is stable, for machines; the message is for people and
 * may reach the caller: lower case, no period, naming what was attempted and the limit.
 */
export class PredictorError extends Error {
  readonly code: PredictorErrorCode;
  constructor(code: PredictorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PredictorError";
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
