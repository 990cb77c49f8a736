import { ControlPlaneError } from "../errors.ts";

/** What the API server answered in place of what was asked for, or that it could not be asked. */
export class KubernetesError extends ControlPlaneError {
  /** HTTP status; 0: no answer (no connection, time-out, aborted, an answer that is not JSON or too large). */
  readonly status: number;
  /** `reason` of the Status object, as in AlreadyExists or Expired; ours: ConnectionFailed, Timeout, Aborted, BadAnswer. */
  readonly reason: string;
  /** After how long to ask again, ms, where the server said so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super("KUBERNETES", message, options);
    this.name = "KubernetesError";
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}
