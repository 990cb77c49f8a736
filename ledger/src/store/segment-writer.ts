import { rm } from "node:fs/promises";
import { LedgerError } from "../errors.ts";
import { toHex } from "../hash.ts";
import type { LedgerIdentity } from "../identity.ts";
import type { ChainLink } from "../line.ts";
import { MerkleTree } from "../merkle.ts";
import type { RecordBody, SegmentClosed, SegmentOpened } from "../record.ts";
import { createDataKey, type DataKey, destroyDataKey, readDataKey, rewrapKeys } from "./data-keys.ts";
import { SegmentFd, segmentNumbers, segmentPath, syncDirectory, writeError } from "./files.ts";
import { encodeGroup, toUnnumbered, type Unnumbered } from "./group.ts";
import type { Lock } from "./lock.ts";
import type {
  Appended,
  Durability,
  LedgerHealth,
  LedgerLimits,
  LedgerOptions,
  LedgerWriter,
  Recovery,
  SegmentFile,
  Tip,
} from "./options.ts";
import type { ChainState, OpenSegment, Recovered } from "./recover.ts";
import { closingOf, listSegments } from "./segments.ts";
import { Unsynced } from "./unsynced.ts";

const DEFAULT_LIMITS: LedgerLimits = {
  backlogRecords: 10_000,
  backlogBytes: 64 * 1024 * 1024,
  segmentBytes: 64 * 1024 * 1024,
  segmentMs: 24 * 60 * 60 * 1000,
};
/** One write: more would let the first of a group wait for the last. */
const GROUP_BYTES = 1024 * 1024;
/** What a try asks of a disk that was full: less would find room for itself alone. */
const PROBE = Buffer.alloc(16 * 1024, " ");

interface WaitingRecord extends Unnumbered {
  readonly kind: "record";
  readonly resolve: (appended: Appended) => void;
  readonly reject: (reason: LedgerError) => void;
}

/** Something that is done between groups. */
interface WaitingTask {
  readonly kind: "task";
  readonly run: () => Promise<void>;
  readonly reject: (reason: LedgerError) => void;
}

interface Failure {
  readonly error: LedgerError;
  readonly since: Date;
}

/**
 * One loop writes: while a group is on its way to the disk the next gathers. `#chain` is what was written, `#tip` what is on disk.
 * After a failure everything is rejected until a try, each `retryMs`, has put the file in order and found room.
 */
export class SegmentWriter implements LedgerWriter {
  readonly id: string;
  readonly directory: string;
  readonly recovery: Recovery;
  readonly #identity: LedgerIdentity;
  readonly #lock: Lock;
  readonly #limits: LedgerLimits;
  readonly #now: () => number;
  readonly #retryMs: number;
  readonly #listeners = new Set<(tip: Tip) => void>();
  readonly #unsynced = new Unsynced();
  #durability: Durability;
  #region: string | undefined;
  #keyEncryptionKey: Buffer | undefined;
  #dataKey: DataKey | undefined;
  #fd: SegmentFd | undefined;
  #chain: ChainState;
  #open: OpenSegment | undefined;
  #tip: Tip;
  #queue: (WaitingRecord | WaitingTask)[] = [];
  #queuedRecords = 0;
  #queuedBytes = 0;
  #isWorking = false;
  #turn: Promise<void> = Promise.resolve();
  #sync: Promise<void> | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #failure: Failure | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #ending: "open" | "sealed" | "closed" = "open";
  #closed: Promise<void> | undefined;

  private constructor(
    options: LedgerOptions,
    identity: LedgerIdentity,
    lock: Lock,
    recovery: Recovery,
    chain: ChainState,
  ) {
    this.id = identity.ledger;
    this.directory = options.directory;
    this.recovery = recovery;
    this.#identity = identity;
    this.#lock = lock;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#now = options.now ?? Date.now;
    this.#retryMs = options.retryMs ?? 1000;
    this.#durability = options.durability;
    this.#region = options.region;
    this.#keyEncryptionKey = options.keyEncryptionKey;
    this.#chain = chain;
    this.#tip = { segment: chain.segment, seq: chain.seq - 1, head: toHex(chain.head), offset: chain.offset };
  }

  /** Cuts off a torn tail, goes on with the segment, or begins one where its key, region or end ask for it. Owns the lock once it resolves. */
  static async open(
    options: LedgerOptions,
    identity: LedgerIdentity,
    lock: Lock,
    recovered: Extract<Recovered, { kind: "intact" }>,
    recovery: Recovery,
  ): Promise<SegmentWriter> {
    const writer = new SegmentWriter(options, identity, lock, recovery, recovered.chain);
    try {
      await writer.#resume(recovered);
    } catch (thrown) {
      await writer.#fd?.close();
      throw thrown;
    }
    return writer;
  }

  async #resume({ open, repairedBytes, restart, chain }: Extract<Recovered, { kind: "intact" }>): Promise<void> {
    if (restart === undefined) {
      this.#fd = await SegmentFd.open(segmentPath(this.directory, chain.segment));
      if (repairedBytes > 0) await this.#fd.cut(chain.offset);
      // What a killed process wrote may not be on disk yet.
      await this.#fd.sync();
    }
    this.#open = open;
    const isUnlike =
      open !== undefined && (open.region !== this.#region || (open.kid === undefined) === this.#isEncrypted);
    if (open?.kid !== undefined && this.#keyEncryptionKey !== undefined) {
      this.#dataKey = await readDataKey(this.directory, open.kid, [this.#keyEncryptionKey]);
    }
    const isKeyless = open?.kid !== undefined && this.#dataKey === undefined;
    if (isUnlike || isKeyless) await this.#closeSegment();
    if (this.#open === undefined) await this.#beginSegment(restart ?? this.#chain.segment + 1);
    if (repairedBytes === 0) return;
    const repaired = toUnnumbered({ type: "tail.repaired", segment: chain.segment, bytes: repairedBytes });
    await this.#write([repaired], true);
  }

  get #isEncrypted(): boolean {
    return this.#keyEncryptionKey !== undefined;
  }

  get health(): LedgerHealth {
    const { error, since } = this.#failure ?? {};
    return {
      failure:
        error === undefined || since === undefined ? undefined : { code: error.code, message: error.message, since },
      backlogRecords: this.#queuedRecords,
      backlogBytes: this.#queuedBytes + this.#unsynced.bytes,
    };
  }

  tip(): Tip {
    return this.#tip;
  }

  onDurable(listener: (tip: Tip) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async append(body: RecordBody): Promise<Appended> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    const record = toUnnumbered(body);
    const { backlogRecords, backlogBytes } = this.#limits;
    const waitingBytes = this.#queuedBytes + this.#unsynced.bytes + record.bytes;
    if (this.#queuedRecords >= backlogRecords || waitingBytes > backlogBytes) {
      const waiting = `${this.#queuedRecords} records and ${waitingBytes} bytes wait`;
      throw new LedgerError("backlog_full", `append to ledger ${this.id}: ${waiting} for the disk`);
    }
    return await new Promise((resolve, reject) => {
      this.#queuedRecords++;
      this.#queuedBytes += record.bytes;
      this.#enqueue({ kind: "record", ...record, resolve, reject });
    });
  }

  #refusal(): LedgerError | undefined {
    if (this.#ending !== "open") return new LedgerError("closed", `ledger ${this.id} is ${this.#ending}`);
    return this.#failure?.error;
  }

  /** Between groups, after what was appended before it. */
  #inTurn<Value>(run: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ kind: "task", run: async () => resolve(await run()), reject });
    });
  }

  #enqueue(entry: WaitingRecord | WaitingTask): void {
    this.#queue.push(entry);
    if (this.#isWorking) return;
    this.#isWorking = true;
    // What else comes in this turn of the event loop goes into the same group.
    setImmediate(() => {
      void this.#exclusively(() => this.#work());
    });
  }

  /** One at a time has the segment's file. */
  #exclusively(run: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(run);
    return this.#turn;
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      const entries = this.#takeGroup();
      try {
        if (this.#failure !== undefined) throw this.#failure.error;
        await this.#perform(entries);
      } catch (thrown) {
        const error = writeError(`write ledger ${this.id}`, thrown);
        // At once, so that nobody takes for records what was refused; where it fails, the next try does it.
        await this.#cutBack().catch(() => {});
        this.#fail(error);
        // What waits behind it would fail the same way, and has waited long enough.
        for (const { reject } of [...entries, ...this.#takeAll()]) reject(error);
      }
    }
    this.#isWorking = false;
  }

  /** A task, or records up to a write's size. */
  #takeGroup(): (WaitingRecord | WaitingTask)[] {
    let count = 0;
    let bytes = 0;
    for (const entry of this.#queue) {
      if (entry.kind === "task") break;
      if (count > 0 && bytes + entry.bytes > GROUP_BYTES) break;
      bytes += entry.bytes;
      count++;
    }
    this.#queuedRecords -= count;
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, Math.max(count, 1));
  }

  #takeAll(): (WaitingRecord | WaitingTask)[] {
    this.#queuedRecords = 0;
    this.#queuedBytes = 0;
    return this.#queue.splice(0);
  }

  async #perform(entries: readonly (WaitingRecord | WaitingTask)[]): Promise<void> {
    const [first] = entries;
    if (first?.kind === "task") return await first.run();
    if (this.#isSegmentFull()) await this.#roll();
    const records = entries.filter((entry) => entry.kind === "record");
    const { links, start } = await this.#write(records, this.#durability.each);
    if (!this.#durability.each) this.#syncSoon();
    for (const [index, { resolve }] of records.entries()) {
      resolve({ seq: start + index, head: toHex(links[index]?.head ?? "") });
    }
  }

  #isSegmentFull(): boolean {
    // A clock that jumps by a segment's age ends one early, and no more.
    const ageMs = Math.abs(this.#now() - (this.#open?.openedAtMs ?? Number.NEGATIVE_INFINITY));
    return this.#chain.offset >= this.#limits.segmentBytes || ageMs >= this.#limits.segmentMs;
  }

  /** Nothing of the chain moves before the bytes are as durable as they have to be: what fails was never there. */
  async #write(
    records: readonly Unnumbered[],
    isDurable: boolean,
  ): Promise<{ links: readonly ChainLink[]; start: number }> {
    const before = this.#chain;
    const seal = this.#dataKey === undefined ? undefined : { ledger: this.id, key: this.#dataKey };
    const { bytes, links, chain } = encodeGroup(records, before, this.#timestamp(), seal);
    await this.#fd?.writeAt(bytes, before.offset);
    if (isDurable) await this.#fd?.sync();
    else this.#unsynced.add(bytes, before.offset);
    this.#chain = chain;
    for (const { leaf } of links) this.#open?.tree.append(leaf);
    if (isDurable) this.#reached(chain);
    return { links, start: before.seq };
  }

  #timestamp(): string {
    return new Date(this.#now()).toISOString();
  }

  #syncSoon(): void {
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      if (this.#failure !== undefined) return;
      this.#syncNow().catch((thrown: unknown) => this.#fail(writeError(`sync ledger ${this.id}`, thrown)));
    }, this.#durability.everyMs);
  }

  /** Puts everything that is written now on disk. */
  async #syncNow(): Promise<void> {
    // One that is under way may have begun before the last write.
    while (this.#sync !== undefined) await this.#sync;
    if (this.#unsynced.bytes === 0) return;
    this.#sync = this.#syncTo(this.#chain);
    try {
      await this.#sync;
    } finally {
      this.#sync = undefined;
    }
  }

  async #syncTo(chain: ChainState): Promise<void> {
    await this.#fd?.sync();
    this.#reached(chain);
  }

  /** The disk has it. A slower sync of less may end after a faster one of more. */
  #reached({ segment, seq, head, offset }: ChainState): void {
    if (seq - 1 <= this.#tip.seq) return;
    this.#unsynced.syncedTo(offset);
    this.#tip = { segment, seq: seq - 1, head: toHex(head), offset };
    for (const listener of this.#listeners) listener(this.#tip);
  }

  async #roll(): Promise<void> {
    if (this.#open !== undefined) await this.#closeSegment();
    await this.#beginSegment(this.#chain.segment + 1);
  }

  /** Afterwards there is no segment to write to. */
  async #closeSegment(): Promise<void> {
    const { tree } = this.#open ?? { tree: new MerkleTree() };
    const { segment } = this.#chain;
    const closing: SegmentClosed = {
      type: "segment.closed",
      segment,
      records: tree.size,
      root: toHex(tree.root()),
    };
    await this.#settleSync();
    await this.#write([toUnnumbered(closing)], true);
    this.#open = undefined;
    this.#dataKey = undefined;
  }

  async #beginSegment(segment: number): Promise<void> {
    const dataKey = this.#keyEncryptionKey && (await createDataKey(this.directory, this.#keyEncryptionKey));
    const fd = await SegmentFd.create(segmentPath(this.directory, segment));
    const { head } = this.#chain;
    const { ledger, node, spiffe, policy } = this.#identity;
    const opening: SegmentOpened = {
      type: "segment.opened",
      format: 1,
      ledger,
      segment,
      node,
      spiffe,
      policy,
      ...(this.#region === undefined ? {} : { region: this.#region }),
      previous: toHex(head),
      ...(dataKey === undefined ? {} : { kid: dataKey.kid }),
    };
    const openedAtMs = this.#now();
    const before = { ...this.#chain, segment, offset: 0 };
    const { bytes, links, chain } = encodeGroup([toUnnumbered(opening)], before, this.#timestamp(), undefined);
    try {
      await fd.writeAt(bytes, 0);
      await fd.sync();
      await syncDirectory(this.directory);
    } catch (thrown) {
      // A first line that is not whole is begun anew, here or at the next start; so is its key.
      await fd.close();
      if (dataKey !== undefined) await destroyDataKey(this.directory, dataKey.kid);
      throw thrown;
    }
    await this.#fd?.close();
    this.#fd = fd;
    const tree = new MerkleTree();
    for (const { leaf } of links) tree.append(leaf);
    this.#open = { tree, openedAtMs, region: this.#region, kid: dataKey?.kid };
    this.#dataKey = dataKey;
    this.#chain = chain;
    this.#reached(chain);
  }

  /** Everything is refused until a try succeeds. */
  #fail(error: LedgerError): void {
    this.#failure = { error, since: this.#failure?.since ?? new Date(this.#now()) };
    if (this.#ending === "closed") return;
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      void this.#exclusively(() => this.#putInOrder());
    }, this.#retryMs);
  }

  /** Whatever its outcome. */
  async #settleSync(): Promise<void> {
    while (this.#sync !== undefined) await this.#sync.catch(() => {});
  }

  /** Behind the chain's end is only what was refused. */
  async #cutBack(): Promise<void> {
    await this.#settleSync();
    await this.#fd?.cut(this.#chain.offset);
  }

  async #putInOrder(): Promise<void> {
    try {
      await this.#cutBack();
      // A sync that failed may have dropped what it could not write, and the next would not say so.
      for (const { bytes, offset } of this.#unsynced.writes) await this.#fd?.writeAt(bytes, offset);
      await this.#fd?.writeAt(PROBE, this.#chain.offset);
      await this.#fd?.sync();
      this.#reached(this.#chain);
      await this.#fd?.cut(this.#chain.offset);
      if (this.#open === undefined && this.#ending === "open") await this.#beginSegment(this.#chain.segment + 1);
      this.#failure = undefined;
    } catch (thrown) {
      await this.#cutBack().catch(() => {});
      this.#fail(writeError(`write ledger ${this.id}`, thrown));
    }
  }

  async flush(): Promise<Tip> {
    if (this.#ending === "closed") return this.#tip;
    return await this.#inTurn(async () => {
      await this.#syncNow();
      return this.#tip;
    });
  }

  async rollSegment(): Promise<Tip> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    return await this.#inTurn(async () => {
      await this.#roll();
      return this.#tip;
    });
  }

  async seal(): Promise<Tip> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    this.#ending = "sealed";
    return await this.#inTurn(async () => {
      await this.#closeSegment();
      return this.#tip;
    });
  }

  async deleteSegment(segment: number, retention: string): Promise<void> {
    // One alone says of all before it that they are gone: who verifies may find none of what said so of those.
    const [oldest] = await segmentNumbers(this.directory);
    if (oldest !== undefined && oldest < segment)
      throw new LedgerError("no_segment", `segment ${segment} is not the oldest, segment ${oldest} is`);
    const closing = segment < this.#chain.segment ? await closingOf(this.directory, segment) : undefined;
    if (closing === undefined) throw new LedgerError("no_segment", `segment ${segment} is not there, or not closed`);
    const { records, root, head, kid } = closing;
    await this.append({
      type: "segment.deleted",
      segment,
      records,
      root,
      head,
      retention,
      ...(kid === undefined ? {} : { kid }),
    });
    // Recorded on disk before it is gone: the other way round, a power failure would look like a theft.
    await this.flush();
    if (kid !== undefined) await destroyDataKey(this.directory, kid);
    await rm(segmentPath(this.directory, segment), { force: true });
    await syncDirectory(this.directory);
  }

  async segments(): Promise<readonly SegmentFile[]> {
    return await listSegments(this.directory);
  }

  async useKeyEncryptionKey(key: Buffer): Promise<void> {
    const old = this.#keyEncryptionKey;
    if (old === undefined) throw new LedgerError("wrong_key", `ledger ${this.id} is not encrypted`);
    const rewrapping = this.#turn.then(async () => {
      await rewrapKeys(this.directory, old, key);
      this.#keyEncryptionKey = key;
    });
    // What fails here keeps nobody from writing.
    this.#turn = rewrapping.catch(() => {});
    await rewrapping;
  }

  configure({ durability, region }: { readonly durability?: Durability; readonly region?: string }): void {
    this.#durability = durability ?? this.#durability;
    this.#region = region ?? this.#region;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#ending = "closed";
    clearTimeout(this.#retryTimer);
    // What was appended before is written first.
    const isWritten = this.#failure === undefined ? this.#inTurn(() => this.#syncNow()) : Promise.resolve();
    try {
      await isWritten;
    } finally {
      clearTimeout(this.#syncTimer);
      clearTimeout(this.#retryTimer);
      await this.#turn;
      await this.#settleSync();
      await this.#fd?.close();
      this.#fd = undefined;
      await this.#lock[Symbol.asyncDispose]();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
