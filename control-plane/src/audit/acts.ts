// What is recorded of the control plane's acts.
import type { CertificateIssued, RecordBody } from "@hedgerow/ledger";

/** For whoever does what is to be recorded. */
export interface ActRecorder {
  /** Resolves once the record is on disk; rejects where it can't be: what it tells of must not happen then. */
  record(body: RecordBody): Promise<void>;
  /** Never rejects, and takes a second at most: what it tells of happens all the same, and is counted as missing. */
  recordIfPossible(body: RecordBody): Promise<void>;
}

/** What an authority says of a certificate. */
interface Issued {
  readonly spiffeId: string;
  readonly serial: string;
  readonly notAfterMs: number;
}

export function certificateIssued(
  use: "svid" | "checkpoint" | "admin" | "serving",
  { spiffeId, serial, notAfterMs }: Issued,
  node?: string,
): CertificateIssued {
  return {
    type: "certificate.issued",
    use,
    spiffe: spiffeId,
    ...(node === undefined ? {} : { node }),
    serial,
    notAfter: new Date(notAfterMs).toISOString(),
  };
}
