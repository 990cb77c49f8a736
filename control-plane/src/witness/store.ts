// What is known of every ledger: STATE/witness.jsonl, where the last line of a ledger holds, and STATE/witness-archive.jsonl.
import { join } from "node:path";
import type { WitnessedLedger } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import { ControlPlaneError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { type Judgement, judge, type Sent, supersedes } from "./judge.ts";
import { LineFile, type LinePlace } from "./line-file.ts";
import { byRest, decodeEntry, type Entry, encodeEntry, entryOf, ledgerOfLine, nextEntry } from "./witnessed-line.ts";

export interface WitnessLimits {
  /** Ledgers in memory, about 3 KiB each; beyond it a tenth of them, at rest, moves to the archive. */
  readonly inMemory: number;
  /** Ledgers in all; of one more nothing is witnessed. The archive takes about 3 KiB of disk and 150 bytes of memory for each. */
  readonly inAll: number;
}

const LIMITS: WitnessLimits = { inMemory: 10_000, inAll: 250_000 };
/** The file is written anew once it has twice as many lines as ledgers, and this many. */
const REWRITE_LINES = 1_000;

export type Taken =
  | { readonly kind: "witnessed"; readonly witness: string; readonly isNew: boolean }
  | { readonly kind: "behind"; readonly witness: string; readonly last: string }
  | Extract<Judgement, { kind: "not-yours" | "contradicts" }>
  | { readonly kind: "full" };

type Pending = { readonly reject: (error: unknown) => void } & (
  | { readonly kind: "sent"; readonly sent: Sent; readonly resolve: (taken: Taken) => void }
  | { readonly kind: "heard"; readonly entry: Entry; readonly resolve: () => void }
);

export interface WitnessStoreDeps {
  readonly stateDir: string;
  /** Compact JWS over a checkpoint. */
  readonly countersign: (sent: Sent, nowMs: number) => string;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly limits?: WitnessLimits;
}

/** Nothing is ever forgotten: a ledger that was begun is known for as long as the state directory is. */
export class WitnessStore implements AsyncDisposable {
  readonly #deps: WitnessStoreDeps;
  readonly #limits: WitnessLimits;
  readonly #entries: Map<string, Entry>;
  readonly #archived: Map<string, LinePlace>;
  readonly #file: LineFile;
  readonly #archive: LineFile;
  readonly #listeners = new Set<(ledger: string) => void>();
  #lines: number;
  #sorted: readonly string[] | undefined;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;

  private constructor(
    deps: WitnessStoreDeps,
    fields: {
      readonly entries: Map<string, Entry>;
      readonly archived: Map<string, LinePlace>;
      readonly file: LineFile;
      readonly archive: LineFile;
      readonly lines: number;
    },
  ) {
    this.#deps = deps;
    this.#limits = deps.limits ?? LIMITS;
    this.#entries = fields.entries;
    this.#archived = fields.archived;
    this.#file = fields.file;
    this.#archive = fields.archive;
    this.#lines = fields.lines;
  }

  /** Error WITNESS_CORRUPT: a file holds other lines than ours; going on without them would witness what contradicts them. */
  static async open(deps: WitnessStoreDeps): Promise<WitnessStore> {
    const entries = new Map<string, Entry>();
    const archived = new Map<string, LinePlace>();
    let lines = 0;
    const corrupt = (path: string, offset: number) =>
      new ControlPlaneError(
        "WITNESS_CORRUPT",
        `${path} holds no line of a witness at byte ${offset}; restore it from a copy, or move it away: ledgers are then witnessed anew`,
      );
    const path = (name: string) => join(deps.stateDir, name);
    const filePath = path("witness.jsonl");
    const archivePath = path("witness-archive.jsonl");
    await using owned = new AsyncDisposableStack();
    const file = owned.use(
      await LineFile.open(filePath, (line, { offset }) => {
        const entry = decodeEntry(line.toString("utf8"));
        if (entry === undefined) throw corrupt(filePath, offset);
        entries.set(entry.message.ledger, entry);
        lines += 1;
      }),
    );
    const archive = owned.use(
      await LineFile.open(archivePath, (line, place) => {
        const ledger = ledgerOfLine(line);
        if (ledger === undefined) throw corrupt(archivePath, place.offset);
        archived.set(ledger, place);
      }),
    );
    // Came back from the archive, or was on its way there.
    for (const ledger of entries.keys()) archived.delete(ledger);
    owned.move();
    return new WitnessStore(deps, { entries, archived, file, archive, lines });
  }

  /** Ledgers that are known. */
  get size(): number {
    return this.#entries.size + this.#archived.size;
  }

  knows(ledger: string): boolean {
    return this.#entries.has(ledger) || this.#archived.has(ledger);
  }

  /** Judges a checkpoint by the last one of its ledger; it is on disk before its countersignature is told. Rejects when the disk refuses. */
  take(sent: Sent): Promise<Taken> {
    const { promise, resolve, reject } = Promise.withResolvers<Taken>();
    this.#pending.push({ kind: "sent", sent, resolve, reject });
    this.#writing ??= this.#takeAll();
    return promise;
  }

  /** What another replica witnessed. Resolves once what is news is on disk. */
  async learn(ledgers: readonly WitnessedLedger[]): Promise<void> {
    const heard = ledgers.map((message) => {
      const entry = entryOf(message);
      if (entry === undefined) throw new TypeError(`ledger ${message.ledger} of another replica is malformed`);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#pending.push({ kind: "heard", entry, resolve, reject });
      return promise;
    });
    this.#writing ??= this.#takeAll();
    await Promise.all(heard);
  }

  /** Told the UUID of each ledger that was witnessed here; returns what ends that. */
  onWitnessed(listener: (ledger: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ids(): Iterable<string> {
    return [...this.#entries.keys(), ...this.#archived.keys()];
  }

  async get(ledger: string): Promise<WitnessedLedger | undefined> {
    return (await this.#find(ledger))?.message;
  }

  /** In the order of their UUIDs, those after `after`. */
  async list(
    after: string,
    most: number,
  ): Promise<{ readonly ledgers: readonly WitnessedLedger[]; readonly more: boolean }> {
    this.#sorted ??= [...this.#entries.keys(), ...this.#archived.keys()].sort();
    const from = this.#sorted.findIndex((ledger) => ledger > after);
    const wanted = from === -1 ? [] : this.#sorted.slice(from, from + most);
    const found = await Promise.all(wanted.map((ledger) => this.#find(ledger)));
    return {
      ledgers: found.flatMap((entry) => (entry === undefined ? [] : [entry.message])),
      more: from !== -1 && from + most < this.#sorted.length,
    };
  }

  async #find(ledger: string): Promise<Entry | undefined> {
    const entry = this.#entries.get(ledger);
    const place = this.#archived.get(ledger);
    if (entry !== undefined || place === undefined) return entry;
    const read = decodeEntry(await this.#archive.read(place));
    if (read === undefined)
      throw new ControlPlaneError("WITNESS_CORRUPT", `${this.#archive.path} changed at byte ${place.offset}`);
    return read;
  }

  // One sync for all who came while the last one ran; each is judged by those before it. Never rejects.
  async #takeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        await this.#takeBatch(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
        continue;
      }
      await this.#tidy().catch((error: unknown) =>
        this.#deps.logger.error({ err: error }, "Failed to shorten the witness's file"),
      );
    }
    this.#writing = undefined;
  }

  async #takeBatch(batch: readonly Pending[]): Promise<void> {
    const changed = new Map<string, Entry>();
    const answers: (() => void)[] = [];
    const witnessed = new Set<string>();
    for (const pending of batch) {
      const { ledger } = pending.kind === "sent" ? pending.sent.claims : pending.entry.message;
      const last = changed.get(ledger) ?? (await this.#find(ledger));
      const isFull = last === undefined && this.size + changed.size >= this.#limits.inAll;
      if (pending.kind === "heard") {
        if (!isFull && supersedes(pending.entry, last)) changed.set(ledger, pending.entry);
        answers.push(pending.resolve);
        continue;
      }
      const { sent, resolve } = pending;
      const keep = (entry: Entry) => {
        changed.set(ledger, entry);
        witnessed.add(ledger);
      };
      const taken = isFull ? ({ kind: "full" } as const) : this.#judge(last, sent, keep);
      answers.push(() => resolve(taken));
    }
    if (changed.size > 0) {
      await this.#file.append([...changed.values()].map(encodeEntry));
      this.#lines += changed.size;
      for (const [ledger, entry] of changed) {
        if (!this.#entries.has(ledger) && !this.#archived.delete(ledger)) this.#sorted = undefined;
        this.#entries.set(ledger, entry);
      }
    }
    for (const answer of answers) answer();
    for (const ledger of witnessed) for (const listener of this.#listeners) listener(ledger);
  }

  #judge(last: Entry | undefined, sent: Sent, keep: (entry: Entry) => void): Taken {
    const judgement = judge(last, sent);
    switch (judgement.kind) {
      case "goes-on": {
        const nowMs = this.#deps.now();
        const witness = this.#deps.countersign(sent, nowMs);
        keep(nextEntry(last, sent, witness, nowMs));
        return { kind: "witnessed", witness, isNew: last === undefined };
      }
      case "same":
        return { kind: "witnessed", witness: last?.message.witness ?? "", isNew: false };
      case "behind":
        return { kind: "behind", witness: last?.message.witness ?? "", last: last?.digest ?? "" };
      case "not-yours":
      case "contradicts":
        return judgement;
    }
  }

  async #tidy(): Promise<void> {
    const { inMemory } = this.#limits;
    if (this.#entries.size > inMemory) {
      // By hundreds: what moves is written twice.
      const resting = [...this.#entries.values()]
        .sort(byRest)
        .slice(0, this.#entries.size - Math.floor(inMemory * 0.9));
      const places = await this.#archive.append(resting.map(encodeEntry));
      for (const [index, { message }] of resting.entries()) {
        const place = places[index];
        if (place === undefined) continue;
        this.#archived.set(message.ledger, place);
        this.#entries.delete(message.ledger);
      }
    } else if (this.#lines < 2 * this.#entries.size + REWRITE_LINES) return;
    await this.#file.replace([...this.#entries.values()].map(encodeEntry));
    this.#lines = this.#entries.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file[Symbol.asyncDispose]();
    await this.#archive[Symbol.asyncDispose]();
  }
}
