import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { CheckpointClaims } from "../checkpoint.ts";
import { encodeCheckpoint } from "../checkpoint-jws.ts";
import { CheckpointFile, type KnownCheckpoint } from "./checkpoint-file.ts";
import type { LedgerWriter } from "./options.ts";

const INTERVAL_MS = 10_000;
const DAY_MS = 24 * 3_600_000;
/** A key is replaced when this much of its certificate's life is left: of 90 days, the last third. */
const RENEW_MS = 30 * DAY_MS;

export type Countersigned =
  | { readonly kind: "witnessed"; readonly witness: string }
  /** The witness has another checkpoint as the last one, which the one that was sent does not name. */
  | { readonly kind: "behind"; readonly last: string }
  /** It contradicts what was witnessed. */
  | { readonly kind: "refused"; readonly problem: string };

/** Both reject while the witness is away. */
export interface Witness {
  /** `publicKey`: DER SubjectPublicKeyInfo, Ed25519. The chain is DER, leaf first. */
  certify(publicKey: Uint8Array): Promise<{ readonly chain: readonly Uint8Array[]; readonly notAfterMs: number }>;
  countersign(checkpoint: string): Promise<Countersigned>;
}

export interface CheckpointLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface CheckpointerOptions {
  readonly writer: Pick<LedgerWriter, "id" | "directory" | "flush" | "tip" | "onDurable">;
  readonly node: string;
  /** SPIFFE id, as certificates have it now; undefined before the first SVID: nothing can be certified then. */
  readonly spiffe: () => string | undefined;
  readonly witness: Witness;
  /** Unix ms. */
  readonly now: () => number;
  readonly log: CheckpointLog;
}

export interface CheckpointState {
  /** Of the last checkpoint, and of the last that was countersigned; -1: there is none. */
  readonly seq: number;
  readonly witnessedSeq: number;
  /** Why the last attempt left something unwitnessed. */
  readonly problem: string | undefined;
}

interface SigningKey {
  readonly spiffe: string;
  readonly privateKey: KeyObject;
  readonly chain: readonly Uint8Array[];
  readonly notAfterMs: number;
}

/**
 * Signs how far a ledger has come by a key that lives as long as this, and has it countersigned. While the witness is away
 * checkpoints are written without it, and the newest is countersigned when it is back; while no key was ever certified there are none.
 */
export class Checkpointer implements AsyncDisposable {
  readonly #options: CheckpointerOptions;
  readonly #opened: Promise<CheckpointFile>;
  readonly #forget: () => void;
  #file: CheckpointFile | undefined;
  #key: SigningKey | undefined;
  /** One at a time. */
  #turn: Promise<void> = Promise.resolve();
  #segment: number;
  #wake: (() => void) | undefined;
  /** Found in the file when the witness named it, further back than the file is read at first. */
  #witnessed: string | undefined;
  #problem: string | undefined;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    const { writer } = options;
    this.#opened = CheckpointFile.open(writer.directory);
    // Told to whoever asks for a checkpoint.
    this.#opened.catch(() => {});
    this.#segment = writer.tip().segment;
    this.#forget = writer.onDurable(({ segment }) => {
      if (segment === this.#segment) return;
      this.#segment = segment;
      this.#wake?.();
    });
  }

  get state(): CheckpointState {
    return {
      seq: this.#file?.last?.seq ?? -1,
      witnessedSeq: this.#file?.lastWitnessed?.seq ?? -1,
      problem: this.#problem,
    };
  }

  /** Every 10 s and whenever a segment ends, until `signal`. Never rejects: failures are logged, and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.checkpointNow().catch((error: unknown) => this.#failed("Checkpoint failed", String(error)));
      await new Promise<void>((resolve) => {
        // Aborted meanwhile: nobody would wake us.
        if (signal.aborted) return resolve();
        const timer = setTimeout(() => this.#wake?.(), INTERVAL_MS);
        this.#wake = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", wake);
          this.#wake = undefined;
          resolve();
        };
        const wake = this.#wake;
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }

  /**
   * A checkpoint of all that was appended, if there is something new, and a countersignature, if the witness can be had. `closed`:
   * the ledger was sealed. Rejects when the file can't be written.
   */
  checkpointNow({ closed = false }: { readonly closed?: boolean } = {}): Promise<void> {
    const turn = this.#turn.then(() => this.#checkpoint(closed));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #checkpoint(closed: boolean): Promise<void> {
    this.#file = await this.#opened;
    const file = this.#file;
    const tip = await this.#options.writer.flush();
    const { last } = file;
    // An empty ledger has no head to sign yet.
    if (tip.seq < 0) return;
    const isNews = last === undefined || tip.seq > last.seq || (closed && !last.isClosing);
    if (!isNews && last.isWitnessed) return;
    try {
      if (isNews) await this.#append(file, closed);
      await this.#countersign(file, closed);
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      this.#failed("Checkpoint was not witnessed", error.message);
    }
  }

  async #append(file: CheckpointFile, closed: boolean): Promise<void> {
    const { writer, node, now } = this.#options;
    const key = await this.#signingKey();
    const { segment, seq, head } = await writer.flush();
    const witnessed = this.#witnessed ?? file.lastWitnessed?.digest;
    const claims: CheckpointClaims = {
      iss: key.spiffe,
      iat: Math.floor(now() / 1000),
      node,
      ledger: writer.id,
      segment,
      seq,
      head,
      ...(file.last === undefined ? {} : { previous: file.last.digest }),
      ...(witnessed === undefined ? {} : { witnessed }),
      ...(closed ? { closed } : {}),
    };
    await file.append(encodeCheckpoint(claims, key.chain, (bytes) => sign(null, bytes, key.privateKey)));
  }

  async #countersign(file: CheckpointFile, closed: boolean): Promise<void> {
    const answer = await this.#ask(file.last);
    switch (answer.kind) {
      case "witnessed":
        await file.witness(answer.witness);
        this.#witnessed = undefined;
        this.#problem = undefined;
        return;
      case "refused":
        this.#contradicted(answer.problem);
        return;
      case "behind": {
        const { last } = answer;
        if (!(await file.holds(last))) {
          this.#contradicted(`the witness has a checkpoint ${last} of this ledger that is not here`);
          return;
        }
        this.#witnessed = last;
        await this.#append(file, closed);
        const again = await this.#ask(file.last);
        if (again.kind === "witnessed") {
          await file.witness(again.witness);
          this.#witnessed = undefined;
          this.#problem = undefined;
        } else this.#contradicted(again.kind === "refused" ? again.problem : "another goes on with this ledger");
      }
    }
  }

  async #ask(checkpoint: KnownCheckpoint | undefined): Promise<Countersigned> {
    if (checkpoint === undefined) throw new Away("there is no checkpoint");
    try {
      return await this.#options.witness.countersign(checkpoint.compact);
    } catch (error) {
      throw new Away(error instanceof Error ? error.message : String(error));
    }
  }

  async #signingKey(): Promise<SigningKey> {
    const { spiffe: current, witness, now } = this.#options;
    const spiffe = current();
    if (spiffe === undefined) throw new Away("there is no SVID yet");
    const present = this.#key;
    if (present?.spiffe === spiffe && now() < present.notAfterMs - RENEW_MS) return present;
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    try {
      const { chain, notAfterMs } = await witness.certify(publicKey.export({ type: "spki", format: "der" }));
      this.#key = { spiffe, privateKey, chain, notAfterMs };
      return this.#key;
    } catch (error) {
      // An older one still does, as long as it is valid.
      if (present?.spiffe === spiffe && now() < present.notAfterMs) return present;
      throw new Away(error instanceof Error ? error.message : String(error));
    }
  }

  #failed(message: string, problem: string): void {
    const isNews = this.#problem !== problem;
    this.#problem = problem;
    if (isNews) this.#options.log.warn({ ledger: this.#options.writer.id, problem }, message);
  }

  #contradicted(problem: string): void {
    const isNews = this.#problem !== problem;
    this.#problem = problem;
    if (isNews)
      this.#options.log.error(
        { ledger: this.#options.writer.id, problem },
        "Ledger contradicts what was witnessed of it",
      );
  }

  /** Makes no checkpoint of its own: the owner decides whether the ledger is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    await this.#turn;
    await (await this.#opened.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

/** The witness, or what it asks for, can't be had now. */
class Away extends Error {}
