import type { Decision, RecordBody } from "@hedgerow/ledger";
import { readIdentity } from "@hedgerow/ledger/store";
import type { AuditLedger } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { messageOf } from "../errors.ts";
import type { Svid } from "../identity/svid.ts";
import type { Logger } from "../logger.ts";
import { LedgerParts, type PartsDeps } from "./ledger-parts.ts";
import { type LedgerSettings, readSettings, type SettingsRead } from "./ledger-settings.ts";
import { MissedRequests } from "./missed.ts";
import { OutputDigests } from "./outcomes/output-digests.ts";
import type { OutcomeLedger } from "./outcomes/tail.ts";
import { encryptPayload } from "./payload.ts";
import { Secrets } from "./secrets.ts";

/** How soon what was missed is recorded, once it can be. */
const MISSED_MS = 1_000;

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
  readonly region: string;
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
  /** Since the ledger began. */
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
  /** Of allowed requests, where the policy asks for them. */
  readonly outputs: OutputDigests;
  /** What Envoy's log tells goes here. */
  readonly outcomes: OutcomeLedger;
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
  const settings = await readSettings(config, deps.directory, new Secrets(deps.secretsDirectory));
  if (!settings.ok) return settings;
  const wrong = (problem: string) => ({ ok: false as const, problems: [`AuditPolicy ${config.name}: ${problem}`] });
  try {
    const { directory } = settings.value;
    const spiffeId = deps.identity.spiffeId ?? (await readIdentity(directory))?.spiffe;
    if (spiffeId === undefined) return wrong("a ledger is begun once there is an SVID to say whose it is");
    const recorder = new LedgerRecorder(deps, spiffeId, settings.value);
    await recorder.open();
    return { ok: true, value: recorder };
  } catch (error) {
    return wrong(messageOf(error));
  }
}

class LedgerRecorder implements Recorder {
  readonly #deps: RecorderDeps;
  readonly #spiffeId: string;
  readonly #logger: Logger;
  readonly #missed = new MissedRequests();
  readonly outputs: OutputDigests = new OutputDigests();
  #timer: NodeJS.Timeout | undefined;
  #settings: LedgerSettings;
  #region: string;
  #svid: Svid | undefined;
  #parts: LedgerParts | undefined;
  /** While the ledger is opened another way: whoever appends waits for it. */
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #records = 0;
  #failures = 0;
  #failing = false;
  #recordingMissed = false;

  constructor(deps: RecorderDeps, spiffeId: string, settings: LedgerSettings) {
    this.#deps = deps;
    this.#spiffeId = spiffeId;
    this.#settings = settings;
    this.#region = deps.region;
    this.#logger = deps.logger.child({ policy: settings.policy });
  }

  /** To be called once. Rejects as openLedger does. */
  async open(): Promise<void> {
    this.#parts = await this.#open(this.#settings);
    // Not before: a long ledger takes more than a second to open.
    this.#timer = setInterval(() => void this.#recordMissed(), MISSED_MS);
    this.#timer.unref();
  }

  get policy(): string {
    return this.#settings.policy;
  }

  get failMode(): "closed" | "open" {
    return this.#settings.failMode;
  }

  get digestKey(): Buffer {
    return this.#current.digestKey;
  }

  get outcomes(): OutcomeLedger {
    return this.#current.book;
  }

  async record(body: RecordBody): Promise<void> {
    if (this.#opening !== undefined) await this.#opening;
    const { book, shippers } = this.#current;
    const required = shippers.filter((shipper) => shipper.required);
    try {
      // Before it is written: it would stand here as allowed, and never have been.
      for (const shipper of required) shipper.expectWorking();
      const seq = await this.#decide(body, book);
      await Promise.all(required.map(async (shipper) => await shipper.acknowledged(seq)));
      if (this.#failing) this.#logger.info("The ledger takes records again");
      this.#failing = false;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  missed(code: string): void {
    this.#missed.add(code, this.#deps.now());
  }

  payloadFor(body: Uint8Array): string | undefined {
    const { payload } = this.#settings;
    if (payload === undefined || this.#deps.random() >= payload.share) return undefined;
    return encryptPayload(body, payload.maxBytes, payload.recipient);
  }

  async update(config: AuditLedger, region: string): Promise<readonly string[]> {
    const { directory, secretsDirectory } = this.#deps;
    const read: SettingsRead = await readSettings(config, directory, new Secrets(secretsDirectory));
    if (!read.ok) return read.problems;
    try {
      await this.#use(read.value, region);
      return [];
    } catch (error) {
      return [`AuditPolicy ${config.name}: ${messageOf(error)}`];
    }
  }

  useCredentials(svid: Svid): void {
    this.#svid = svid;
    this.#parts?.useCredentials(svid);
  }

  stats(): RecorderStats {
    const { book, shippers, writer } = this.#current;
    return {
      policy: this.policy,
      records: this.#records,
      failures: this.#failures,
      missed: this.#missed.total,
      pending: book.pending,
      segments: writer.tip().segment + 1,
      sinks: shippers.map(({ name, region, required, lagRecords, failures }) => ({
        name,
        region,
        required,
        lagRecords,
        failures,
      })),
    };
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #current(): LedgerParts {
    if (this.#parts === undefined) throw new Error("the ledger was never opened");
    return this.#parts;
  }

  async #decide(body: RecordBody, book: { decided: (id: string) => void; undecided: (id: string) => void }) {
    const id = isDecision(body) ? body.id : undefined;
    if (id !== undefined) book.decided(id);
    // Before it is answered: Envoy shows the answer to those who know its decision.
    if (isDecision(body) && body.verdict === "allow" && this.#settings.outputDigest) this.outputs.expect(body.id);
    try {
      return await this.#append(body);
    } catch (error) {
      if (id !== undefined) book.undecided(id);
      throw error;
    }
  }

  async #append(body: RecordBody): Promise<number> {
    const { seq } = await this.#current.writer.append(body);
    this.#records += 1;
    return seq;
  }

  #fail(error: unknown): void {
    this.#failures += 1;
    // Once, not for each of thousands of requests.
    if (!this.#failing) this.#logger.error({ error: messageOf(error) }, "The ledger does not take records");
    this.#failing = true;
  }

  async #open(settings: LedgerSettings): Promise<LedgerParts> {
    const { identity, meshAddress, now, random } = this.#deps;
    const deps: PartsDeps = {
      nodeId: identity.nodeId,
      spiffeId: this.#spiffeId,
      region: this.#region,
      meshAddress,
      append: async (body) => {
        if (this.#opening !== undefined) await this.#opening;
        await this.#append(body);
      },
      missed: (code) => this.missed(code),
      outputs: this.outputs,
      now,
      random,
      logger: this.#logger,
    };
    const parts = await LedgerParts.open(settings, deps);
    if (this.#svid !== undefined) parts.useCredentials(this.#svid);
    return parts;
  }

  async #use(settings: LedgerSettings, region: string): Promise<void> {
    this.#region = region;
    const encrypts = settings.keyEncryptionKey !== undefined;
    if (encrypts === (this.#settings.keyEncryptionKey !== undefined)) await this.#current.use(settings, region);
    else await this.#reopen(settings);
    this.#settings = settings;
  }

  /** Encryption begins or ends with a segment, and with a writer. */
  async #reopen(settings: LedgerSettings): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#opening = promise.then(() => undefined);
    try {
      await this.#current.close(true);
      this.#parts = await this.#open(settings).catch(async (error: unknown) => {
        this.#parts = await this.#open(this.#settings);
        throw error;
      });
    } finally {
      this.#opening = undefined;
      resolve(undefined);
    }
  }

  async #recordMissed(): Promise<void> {
    const blocked = this.#current.shippers.some(({ required, failing }) => required && failing);
    if (this.#recordingMissed || blocked || !this.#missed.any) return;
    if (this.#current.writer.health.failure !== undefined) return;
    this.#recordingMissed = true;
    for (const body of this.#missed.take()) {
      try {
        await this.#append(body);
      } catch {
        // Counted on: it is not writable yet.
        this.#missed.putBack(body);
      }
    }
    this.#recordingMissed = false;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#opening !== undefined) await this.#opening;
    await this.#recordMissed();
    await this.#current.close();
  }
}

function isDecision(body: RecordBody): body is Decision {
  return body.type === "decision";
}
