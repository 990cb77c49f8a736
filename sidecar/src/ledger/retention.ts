import type { LedgerWriter, SegmentFile } from "@hedgerow/ledger/store";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface RetentionSettings {
  readonly class: string;
  /** From a segment's closing; undefined: for ever. */
  readonly keepMs: number | undefined;
  readonly legalHold: boolean;
}

/** Segments whose time is over: closed for long enough, held by nobody, and with every sink. Oldest first, without a gap. */
export function segmentsDue(
  segments: readonly SegmentFile[],
  { keepMs, legalHold }: RetentionSettings,
  nowMs: number,
  everySinkHas: (segment: number) => boolean,
): readonly number[] {
  if (legalHold || keepMs === undefined) return [];
  const due: number[] = [];
  for (const { segment, closedAt } of segments) {
    if (closedAt === undefined || closedAt.getTime() + keepMs > nowMs || !everySinkHas(segment)) break;
    due.push(segment);
  }
  return due;
}

/** Deletes what is due, every day and whenever a segment was closed. A deletion that fails is tried again the next time. */
export class Retention {
  readonly #writer: LedgerWriter;
  readonly #settings: () => RetentionSettings;
  readonly #everySinkHas: (segment: number) => boolean;
  readonly #deleted: () => void;
  readonly #now: () => number;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  readonly #unsubscribe: () => void;
  #busy: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: {
    readonly writer: LedgerWriter;
    readonly settings: () => RetentionSettings;
    readonly everySinkHas: (segment: number) => boolean;
    /** After segments were deleted: their keys are to be forgotten elsewhere, too. */
    readonly deleted: () => void;
    readonly now: () => number;
    readonly logger: Logger;
  }) {
    this.#writer = options.writer;
    this.#settings = options.settings;
    this.#everySinkHas = options.everySinkHas;
    this.#deleted = options.deleted;
    this.#now = options.now;
    this.#logger = options.logger;
    this.#timer = setInterval(() => this.look(), DAY_MS);
    this.#timer.unref();
    let { segment } = options.writer.tip();
    this.#unsubscribe = options.writer.onDurable((tip) => {
      if (tip.segment !== segment) this.look();
      segment = tip.segment;
    });
    this.look();
  }

  /** Deletes what is due now, after what is being deleted. */
  look(): void {
    this.#busy = this.#busy.then(() => this.#delete());
  }

  async #delete(): Promise<void> {
    if (this.#closed) return;
    const settings = this.#settings();
    try {
      const due = segmentsDue(await this.#writer.segments(), settings, this.#now(), this.#everySinkHas);
      for (const segment of due) {
        await this.#writer.deleteSegment(segment, settings.class);
        this.#logger.info({ segment, retention: settings.class }, "Deleted a segment of the ledger");
      }
      if (due.length > 0) this.#deleted();
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, "Could not delete a segment of the ledger");
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#unsubscribe();
    await this.#busy;
  }
}
