import type { RecordBody } from "@hedgerow/ledger";
import type { AuditLedger } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import type { Svid } from "../identity/svid.ts";
import type { Logger } from "../logger.ts";

export interface RecorderDeps {
  /** HEDGEROW_AUDIT; the ledger is the directory NAMESPACE.POLICY in it. */
  readonly directory: string;
  /** HEDGEROW_SECRETS. */
  readonly secretsDirectory: string | undefined;
  /** `spiffeId` is absent before the first SVID: then a ledger that is there already says it, and none can be begun. */
  readonly identity: { readonly nodeId: string; readonly spiffeId: string | undefined };
  /** Attested region, empty: none. */
  readonly region: string;
  /** HEDGEROW_MESH, where checkpoints are certified and witnessed. */
  readonly meshAddress: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

/** One sink as the metrics page shows it. */
export interface SinkStats {
  readonly name: string;
  readonly required: boolean;
  /** Records that it has not acknowledged. */
  readonly lagRecords: number;
  readonly failures: number;
}

export interface RecorderStats {
  /** NAMESPACE/NAME of the AuditPolicy. */
  readonly policy: string;
  /** Records appended, and appends that failed, since the agent started. */
  readonly records: number;
  readonly failures: number;
  /** Answered without a record (`failMode: open`). */
  readonly missed: number;
  /** Decisions whose outcome Envoy has not told yet. */
  readonly pending: number;
  readonly segments: number;
  readonly sinks: readonly SinkStats[];
}

/** One ledger as the agent writes it: what is appended is durable as its policy asks, copied, checkpointed, and deleted in time. */
export interface Recorder extends AsyncDisposable {
  /** NAMESPACE/NAME of the AuditPolicy. */
  readonly policy: string;
  readonly failMode: "closed" | "open";
  /** For input and output digests. */
  readonly digestKey: Buffer;
  /** An HMAC of every answer is asked for, too. */
  readonly outputDigest: boolean;
  /**
   * Resolves once the record is as durable as the policy asks and every required sink has it. Rejects with an error whose
   * `code` says why (disk_full, write_failed, backlog_full, closed, sink_unavailable): whoever answers all the same says so to `missed`.
   */
  record(body: RecordBody): Promise<void>;
  /** Something was answered without a record; `records.missing` says so as soon as the ledger can be written. */
  missed(code: string): void;
  /** The request's body as the auditor may read it, where the policy samples this one: a compact JWE. */
  payloadFor(body: Uint8Array): string | undefined;
  /**
   * Takes over changed settings without losing a record or its place in a sink. Problems: as of opening; the ledger then goes on
   * as it was.
   */
  update(config: AuditLedger, region: string): Promise<readonly string[]>;
  /** For checkpoints; called with every new SVID. */
  useCredentials(svid: Svid): void;
  stats(): RecorderStats;
  /** The last checkpoint, and what sinks take within a few seconds; idempotent. */
  close(): Promise<void>;
}

export type OpenedRecorder =
  | { readonly ok: true; readonly value: Recorder }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Opens a ledger, or says everything that is in its way: secrets that are absent or malformed, a directory that can't be used. */
export async function openRecorder(config: AuditLedger, deps: RecorderDeps): Promise<OpenedRecorder> {
  return await Promise.resolve({ ok: false, problems: [`${config.name}: ${deps.directory}: not there yet`] });
}
