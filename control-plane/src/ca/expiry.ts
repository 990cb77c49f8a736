/** A timer holds 24 days at most; and looked at each minute, a clock that is set right counts. */
const MAX_STEP_MS = 60_000;

/** Calls back once a certificate has ended (Unix ms). Returns how to stop that. */
export function whenExpired(notAfterMs: number, now: () => number, expired: () => void): () => void {
  let timer: NodeJS.Timeout;
  const look = () => {
    const leftMs = notAfterMs - now();
    if (leftMs <= 0) expired();
    else timer = setTimeout(look, Math.min(leftMs, MAX_STEP_MS)).unref();
  };
  timer = setTimeout(look, 0).unref();
  return () => clearTimeout(timer);
}
