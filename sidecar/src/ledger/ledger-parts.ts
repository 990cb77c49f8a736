import type { RecordBody } from "@hedgerow/ledger";
import { type LedgerWriter, openLedger } from "@hedgerow/ledger/store";
import type { Svid } from "../identity/svid.ts";
import type { Logger } from "../logger.ts";
import { LedgerCheckpointer } from "./checkpointer.ts";
import { ownDigestKey } from "./digest-key.ts";
import type { LedgerSettings } from "./ledger-settings.ts";
import { OutcomeBook } from "./outcomes/outcome-book.ts";
import type { OutputDigests } from "./outcomes/output-digests.ts";
import { resume } from "./outcomes/resume.ts";
import { Retention } from "./retention.ts";
import { Shipper } from "./sinks/shipper.ts";
import type { SinkSettings } from "./sinks/sink-settings.ts";

export interface PartsDeps {
  readonly nodeId: string;
  readonly spiffeId: string;
  readonly region: string;
  readonly meshAddress: string;
  readonly append: (body: RecordBody) => Promise<void>;
  readonly missed: (code: string) => void;
  readonly outputs: OutputDigests;
  readonly now: () => number;
  readonly random: () => number;
  readonly logger: Logger;
}

/** A ledger that is open, and everything that works on it. */
export class LedgerParts {
  readonly writer: LedgerWriter;
  readonly book: OutcomeBook;
  #digestKey: Buffer;
  readonly #checkpointer: LedgerCheckpointer;
  readonly #retention: Retention;
  readonly #deps: PartsDeps;
  readonly #ending = new AbortController();
  readonly #checkpointing: Promise<void>;
  #settings: LedgerSettings;
  #shippers: readonly { readonly shipper: Shipper; readonly key: string }[];

  private constructor(
    writer: LedgerWriter,
    book: OutcomeBook,
    digestKey: Buffer,
    settings: LedgerSettings,
    deps: PartsDeps,
  ) {
    this.writer = writer;
    this.book = book;
    this.#digestKey = digestKey;
    this.#settings = settings;
    this.#deps = deps;
    const { now, logger, nodeId, meshAddress } = deps;
    this.#checkpointer = new LedgerCheckpointer({ writer, policy: settings.policy, nodeId, meshAddress, now, logger });
    this.#checkpointing = this.#checkpointer.run(this.#ending.signal);
    this.#shippers = settings.sinks.map((sink) => this.#ship(sink));
    this.#retention = new Retention({
      writer,
      settings: () => this.#settings.retention,
      everySinkHas: (segment) => this.shippers.every((shipper) => shipper.hasSegment(segment)),
      deleted: () => {
        for (const shipper of this.shippers) shipper.wake(true);
      },
      now,
      logger,
    });
  }

  /** Rejects as openLedger does. */
  static async open(settings: LedgerSettings, deps: PartsDeps): Promise<LedgerParts> {
    const { directory, policy, durability, keyEncryptionKey } = settings;
    const writer = await openLedger({
      directory,
      node: deps.nodeId,
      spiffe: deps.spiffeId,
      policy,
      durability,
      ...(deps.region === "" ? {} : { region: deps.region }),
      ...(keyEncryptionKey === undefined ? {} : { keyEncryptionKey }),
      now: deps.now,
    });
    try {
      const digestKey = settings.digestKey ?? (await ownDigestKey(directory));
      const keys = keyEncryptionKey === undefined ? [] : [keyEncryptionKey];
      const resumed = await resume(directory, writer.tip(), keys);
      const { append, missed, outputs, now, logger } = deps;
      const tip = () => writer.tip();
      const book = new OutcomeBook({ directory, append, missed, tip, resumed, outputs, now, logger });
      report(writer, deps.logger);
      return new LedgerParts(writer, book, digestKey, settings, deps);
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  get digestKey(): Buffer {
    return this.#digestKey;
  }

  get shippers(): readonly Shipper[] {
    return this.#shippers.map(({ shipper }) => shipper);
  }

  /** What needs no other writer: durability, retention, keys of what is encrypted, sinks. */
  async use(settings: LedgerSettings, region: string): Promise<void> {
    const { keyEncryptionKey, durability } = settings;
    const former = this.#settings.keyEncryptionKey;
    if (keyEncryptionKey !== undefined && former?.equals(keyEncryptionKey) === false) {
      await this.writer.useKeyEncryptionKey(keyEncryptionKey);
      for (const shipper of this.shippers) shipper.wake(true);
    }
    this.#digestKey = settings.digestKey ?? (await ownDigestKey(settings.directory));
    this.writer.configure(region === "" ? { durability } : { durability, region });
    this.#settings = settings;
    await this.#useSinks(settings.sinks);
    this.#retention.look();
  }

  useCredentials(svid: Svid): void {
    this.#checkpointer.useCredentials(svid);
  }

  /** The last checkpoint; what sinks take within 5 s, unless in a hurry. */
  async close(hurry = false): Promise<void> {
    await this.#retention.close();
    await this.book.close();
    this.#ending.abort();
    await this.#checkpointing;
    await this.writer.flush().catch(() => undefined);
    await this.#checkpointer.checkpointNow().catch((error: unknown) => {
      this.#deps.logger.error({ error: String(error) }, "Could not make the last checkpoint");
    });
    await Promise.all(this.shippers.map((shipper) => shipper.close(hurry)));
    await this.#checkpointer[Symbol.asyncDispose]();
    await this.writer.close();
  }

  async #useSinks(sinks: readonly SinkSettings[]): Promise<void> {
    const stay = this.#shippers.filter(({ key }) => sinks.some((sink) => sink.key === key));
    const go = this.#shippers.filter((shipper) => !stay.includes(shipper));
    // Their places are kept first: a sink that only became required goes on from there.
    await Promise.all(go.map(({ shipper }) => shipper.close(true)));
    const fresh = sinks.filter((sink) => !stay.some(({ key }) => key === sink.key));
    this.#shippers = [...stay, ...fresh.map((sink) => this.#ship(sink))];
  }

  #ship({ name, region, required, target, key, make }: SinkSettings) {
    const { now, random, logger } = this.#deps;
    const ledger = this.writer;
    const shipper = new Shipper({ name, region, required, target, sink: make(now), ledger, random, logger });
    return { shipper, key };
  }
}

function report(writer: LedgerWriter, logger: Logger): void {
  const { created, archived, repairedBytes, damaged } = writer.recovery;
  const fields = { ledger: writer.id, directory: writer.directory, seq: writer.tip().seq };
  logger.info({ ...fields, created }, "Opened the ledger");
  if (repairedBytes > 0) logger.warn({ ...fields, bytes: repairedBytes }, "Cut off a torn record");
  if (archived !== undefined)
    logger.warn({ ...fields, archived }, "Set aside the ledger that was there, began another");
  if (damaged !== undefined) logger.error({ ...fields, problem: damaged }, "The ledger is damaged, verify it");
}
