import type { LedgerErrorCode } from "../errors.ts";
import type { RecordBody } from "../record.ts";

/** When an append resolves. */
export interface Durability {
  /** true: once the record is on disk. false: once the operating system has it; on disk within `everyMs`. */
  readonly each: boolean;
  /** 1–1000. */
  readonly everyMs: number;
}

export interface LedgerLimits {
  /** Records that may wait to be written. Beyond either limit an append is rejected with backlog_full. */
  readonly backlogRecords: number;
  /** Their bytes, and those that are written but not on disk yet. */
  readonly backlogBytes: number;
  /** A segment is closed once it is this long, */
  readonly segmentBytes: number;
  /** or this old. */
  readonly segmentMs: number;
}

export interface LedgerOptions {
  /** Made where it is not there. One writer at a time. */
  readonly directory: string;
  /** NAMESPACE/NAME. */
  readonly node: string;
  readonly spiffe: string;
  /** NAMESPACE/NAME of the AuditPolicy, or `control-plane`. */
  readonly policy: string;
  readonly region?: string;
  readonly durability: Durability;
  /** 32 bytes that wrap each segment's data key. Absent: records are not encrypted. */
  readonly keyEncryptionKey?: Buffer;
  /** Defaults: 10,000 records, 64 MiB, 64 MiB, 24 h. */
  readonly limits?: Partial<LedgerLimits>;
  /** Milliseconds since the epoch; default Date.now. */
  readonly now?: () => number;
  /** How long it waits before it tries again to write after a failure; default 1000. */
  readonly retryMs?: number;
}

/** A place in a ledger: before the record that begins at `offset` of the segment's file. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

/** The last record that is on disk; `offset` is where it ends. */
export interface Tip extends Position {
  readonly seq: number;
  /** Hexadecimal. */
  readonly head: string;
}

export interface Appended {
  readonly seq: number;
  /** Of the chain after the record, hexadecimal. */
  readonly head: string;
}

export interface SegmentFile {
  readonly segment: number;
  readonly bytes: number;
  /** When its last record was written; undefined: still open, or never closed. */
  readonly closedAt: Date | undefined;
}

export interface LedgerHealth {
  /** Undefined: it can be written. */
  readonly failure: { readonly code: LedgerErrorCode; readonly message: string; readonly since: Date } | undefined;
  /** Waiting to be written. */
  readonly backlogRecords: number;
  readonly backlogBytes: number;
}

/** What opening a ledger found. */
export interface Recovery {
  /** A new ledger was begun. */
  readonly created: boolean;
  /** Where the ledger that was in the directory lies now: it was closed, or another's. */
  readonly archived: string | undefined;
  /** Of a torn tail that was cut off; 0: there was none. */
  readonly repairedBytes: number;
  /** What is in the last segment is not what was written there: it was left alone, and a new segment begun. Verify it. */
  readonly damaged: string | undefined;
}

/** Appends to one ledger. Everything that it promises about durability holds from the moment an append resolves. */
export interface LedgerWriter extends AsyncDisposable {
  /** UUID of the ledger. */
  readonly id: string;
  readonly directory: string;
  readonly recovery: Recovery;
  readonly health: LedgerHealth;
  /**
   * Resolves once the record is as durable as was asked for. Records are written in the order of the calls. Rejects with a LedgerError:
   * backlog_full, disk_full, write_failed or closed; the record is then not in the ledger.
   */
  append(body: RecordBody): Promise<Appended>;
  tip(): Tip;
  /** Calls the listener, which must not throw, with each new tip; returns what ends that. */
  onDurable(listener: (tip: Tip) => void): () => void;
  /** Puts what was appended on disk and returns the tip. */
  flush(): Promise<Tip>;
  /** Closes the segment and begins the next; resolves with the tip once that is on disk. */
  rollSegment(): Promise<Tip>;
  /** Closes the segment for good: a checkpoint of this tip may say `closed`. Nothing can be appended any more. */
  seal(): Promise<Tip>;
  /** Records the deletion, destroys the segment's data key and removes its file. The segment must be closed, and the oldest. `retention`: the class. */
  deleteSegment(segment: number, retention: string): Promise<void>;
  /** Those on disk, in order. */
  segments(): Promise<readonly SegmentFile[]>;
  /** Wraps all data keys anew and wraps new ones with this. The ledger must be encrypted already. */
  useKeyEncryptionKey(key: Buffer): Promise<void>;
  /** Durability from the next group on, region from the next segment on. */
  configure(changes: { readonly durability?: Durability; readonly region?: string }): void;
  /** Puts what was appended on disk and lets go of the directory. Idempotent. */
  close(): Promise<void>;
}
