export type SidecarErrorCode =
  | "config_invalid"
  | "token_invalid"
  | "control_plane_untrusted"
  | "enrol_refused"
  | "renew_refused"
  | "svid_invalid"
  | "run_directory_unusable"
  | "envoy_admin_failed"
  | "sink_unavailable";

/** What the agent throws where something that should work did not. `code` is stable; `cause` is kept. */
export class SidecarError extends Error {
  readonly code: SidecarErrorCode;

  constructor(code: SidecarErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SidecarError";
    this.code = code;
  }
}

/** The words of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
