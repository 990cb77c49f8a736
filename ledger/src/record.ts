// What an audit ledger holds. docs/audit.md tabulates every field; a field that is new here is new there. Where a ledger is encrypted,
// segment.*, tail.repaired and records.missing are not: they say nothing of requests, and verification needs them.

/** What every record has. `seq` and `time` are the writer's to give. */
export interface RecordHeader {
  /** Position in its ledger, from 0, without gaps, through all segments. */
  readonly seq: number;
  /** When it was written, UTC, RFC 3339 with milliseconds. Clocks may jump: `seq` is the order. */
  readonly time: string;
}

/** The first record of a segment, never encrypted. */
export interface SegmentOpened {
  readonly type: "segment.opened";
  /** Version of the format: 1. */
  readonly format: 1;
  /** UUID of the ledger. */
  readonly ledger: string;
  /** From 0. */
  readonly segment: number;
  /** NAMESPACE/NAME of the workload, or hedgerow-system/NAME of a control plane's replica. */
  readonly node: string;
  /** Its SPIFFE id. */
  readonly spiffe: string;
  /** NAMESPACE/NAME of the AuditPolicy; of a control plane `control-plane`. */
  readonly policy: string;
  readonly region?: string;
  /** Head of the chain before this record, hexadecimal: of the genesis where this is the first segment. */
  readonly previous: string;
  /** Of the data key that encrypts the segment's other records: SHA-256 of the key, hexadecimal, 16 characters. */
  readonly kid?: string;
}

/** The last record of a segment, never encrypted. */
export interface SegmentClosed {
  readonly type: "segment.closed";
  readonly segment: number;
  /** Records of the segment before this one, its first included. */
  readonly records: number;
  /** Merkle root over those, hexadecimal (RFC 6962). */
  readonly root: string;
}

/** A tail that was torn by a crash was cut off: nobody had been answered on its strength. */
export interface TailRepaired {
  readonly type: "tail.repaired";
  readonly segment: number;
  readonly bytes: number;
}

/** Requests were answered without a record (`failMode: open`) while the ledger could not be written. */
export interface RecordsMissing {
  readonly type: "records.missing";
  readonly requests: number;
  readonly from: string;
  readonly to: string;
  /** disk_full, write_failed, backlog_full, sink_unavailable or inspection_failed. */
  readonly reason: string;
}

/** A segment left the disk, or became unreadable, lawfully. */
export interface SegmentDeleted {
  readonly type: "segment.deleted";
  readonly segment: number;
  readonly records: number;
  /** Of the deleted segment. */
  readonly root: string;
  /** Head of the chain after the deleted segment's last record, so that the next one is still bound to it. */
  readonly head: string;
  readonly retention: string;
  /** Of the data key that was destroyed, where the segment was encrypted. */
  readonly kid?: string;
}

export interface TensorSummary {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** Something that a rule saw in a request. */
export interface RecordedFinding {
  /** Of what found it, as in `decode`. */
  readonly detector: string;
  readonly message: string;
}

/** What the agent decided of one request, written before the answer leaves. */
export interface Decision {
  readonly type: "decision";
  /** Decision id: 16 characters of Crockford's base32. */
  readonly id: string;
  /** `x-request-id`; kept from the caller's sidecar, so a claim of the caller. */
  readonly request?: string;
  /** SPIFFE id of the caller; absent: plain text. */
  readonly caller?: string;
  readonly port: number;
  readonly protocol: "grpc" | "grpc-web" | "connect" | "rest" | "http";
  /** infer, metadata, ready or live; else the HTTP method and path. */
  readonly method: string;
  readonly model?: string;
  /** As asked for; absent: the served default. */
  readonly version?: string;
  readonly inputs?: readonly TensorSummary[];
  /** The AccessPolicies that governed, NAMESPACE/NAME, with generation and the rule that allowed. */
  readonly access: { readonly policy: string; readonly generation?: number; readonly rule?: string };
  readonly verdict: "allow" | "deny";
  /** HTTP status of a denial: 400, 403, 413, 415, 429, 501 or 503. */
  readonly status?: number;
  /** Why it was denied, in a constant word: access, malformed, too_large, unsupported, overload, stream. */
  readonly reason?: string;
  readonly findings?: readonly RecordedFinding[];
  /** As it came, and decompressed. */
  readonly bodyBytes: number;
  readonly decodedBytes?: number;
  /** HMAC-SHA256 of the decoded request under the policy's digest key, base64url. */
  readonly inputDigest?: string;
  /** A sampled payload: compact JWE to the auditor's key. */
  readonly payload?: string;
  /** Decision id of the first attempt, of which this is a retry or hedge: same caller, request id and input digest. */
  readonly repeats?: string;
}

/** How a decided request ended, from Envoy's log. */
export interface Outcome {
  readonly type: "outcome";
  /** Of the decision. */
  readonly id: string;
  /** `unknown`: Envoy never said (it was killed, or a minute passed since the longest that a request may last). */
  readonly result: "answered" | "unknown";
  /** HTTP status, and gRPC's where there is one. */
  readonly status?: number;
  readonly grpcStatus?: number;
  readonly durationMs?: number;
  readonly upstream?: string;
  /** How often the application was tried. */
  readonly attempts?: number;
  /** Of the caller's sidecar, as it claims: 1 is the first. */
  readonly attempt?: number;
  readonly flags?: string;
  readonly bytesReceived?: number;
  readonly bytesSent?: number;
  /** HMAC-SHA256 of the answer's body under the policy's digest key, base64url; where the policy asks for it. */
  readonly outputDigest?: string;
}

/** What Envoy refused by itself: RBAC, 413, no route, a dead agent. */
export interface Refusal {
  readonly type: "refusal";
  /** The request id, which is what the caller was told. */
  readonly request?: string;
  readonly caller?: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly grpcStatus?: number;
  /** Envoy's RESPONSE_CODE_DETAILS, as in rbac_access_denied_matched_policy[none]. */
  readonly details: string;
  readonly flags?: string;
  /** AccessPolicies that governed. */
  readonly policy?: string;
  readonly at: string;
}

/** A connection that never became a request: TLS failed, or no filter chain took it. */
export interface ConnectionRefused {
  readonly type: "connection.refused";
  readonly port: number;
  readonly source: string;
  readonly failure: string;
  readonly at: string;
}

/** Envoy's log says less than it should: lines were lost or could not be read. */
export interface LogGap {
  readonly type: "log.gap";
  readonly reason: string;
  readonly lines?: number;
}

// What a control plane does.

export interface CertificateIssued {
  readonly type: "certificate.issued";
  /** svid, checkpoint, admin or serving. */
  readonly use: string;
  readonly spiffe: string;
  readonly node?: string;
  /** Serial number, hexadecimal. */
  readonly serial: string;
  readonly notAfter: string;
}

export interface TokenCreated {
  readonly type: "token.created";
  readonly node: string;
  /** jti. */
  readonly token: string;
  readonly reusable: boolean;
  readonly expires: string;
  readonly by: string;
}

export interface PolicyEdited {
  readonly type: "policy.edited";
  readonly operation: "create" | "update" | "delete" | "refused";
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation?: number;
  /** Who: the API server's user, or `uid N (file owner)` of a directory. */
  readonly by: string;
  /** file:line where it came from a directory. */
  readonly where?: string;
  /** The spec, as JSON; absent for a deletion. */
  readonly spec?: unknown;
  /** Why it was refused. */
  readonly problem?: string;
}

export interface AuditRead {
  readonly type: "audit.read";
  /** verify, search, export, explain, prove or evidence. */
  readonly command: string;
  readonly by: string;
  /** UUIDs. */
  readonly ledgers: readonly string[];
  readonly query?: string;
}

/** What is appended; the writer adds the header. */
export type RecordBody =
  | TailRepaired
  | RecordsMissing
  | SegmentDeleted
  | Decision
  | Outcome
  | Refusal
  | ConnectionRefused
  | LogGap
  | CertificateIssued
  | TokenCreated
  | PolicyEdited
  | AuditRead;

/** What is read. */
export type LedgerRecord = RecordHeader & (SegmentOpened | SegmentClosed | RecordBody);
