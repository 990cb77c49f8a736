/** A stretch of a segment's lines, as they are stored. */
export interface Stretch {
  /** UUID. */
  readonly ledger: string;
  readonly segment: number;
  /** Where the stretch begins in the segment's file, bytes. */
  readonly offset: number;
  readonly first: number;
  readonly last: number;
  /** Whole lines. */
  readonly bytes: Buffer;
}

/** New lines of checkpoints.jsonl. */
export interface CheckpointStretch {
  readonly ledger: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * Where a ledger is copied to. Everything resolves once the sink has it for good, and may be done again: after a crash it is.
 * Lines of an encrypted ledger are copied as they are, so that they verify anywhere; the wrapped data keys are copied beside them,
 * never locked, so that destroying them still deletes.
 */
export interface Sink {
  /** ledger.json. */
  begin(ledger: string, identity: Buffer): Promise<void>;
  /** Errors: SinkEmptied. */
  ship(stretch: Stretch): Promise<void>;
  shipCheckpoints(stretch: CheckpointStretch): Promise<void>;
  /** A wrapped data key. Resolves with what names this version of it to `deleteKey`. */
  putKey(ledger: string, kid: string, wrapped: Buffer): Promise<string>;
  deleteKey(ledger: string, kid: string, version: string): Promise<void>;
  close(): void;
}

/** A sink has less than it had acknowledged: it gets everything anew. */
export class SinkEmptied extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SinkEmptied";
  }
}

/** Eight digits, as the ledger's own files are named. */
export function segmentName(segment: number): string {
  return String(segment).padStart(8, "0");
}
