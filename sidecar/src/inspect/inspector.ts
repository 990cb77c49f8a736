import { messageOf } from "../errors.ts";
import type { Recorder } from "../ledger/recorder.ts";
import type { Logger } from "../logger.ts";
import { callerOf } from "./caller.ts";
import { decisionRecord, judge, overloaded, type Subject, type Verdict } from "./decide.ts";
import type { ReadResult } from "./decode/read-result.ts";
import { KeyedDigest } from "./digest.ts";
import { readRequest } from "./read-request.ts";
import { type Answer, allowed, denied, FAILED } from "./refusal.ts";
import { Repeats } from "./repeats.ts";
import type { PortRules } from "./rules.ts";
import type { Answerer, Question } from "./server.ts";

/** A port that is inspected, and where its decisions go; without a recorder none can be written now. */
export interface ServedPort {
  readonly rules: PortRules;
  readonly recorder: Recorder | undefined;
  readonly failMode: "closed" | "open";
}

/** Longer request ids are no UUIDs of Envoy, and longer models nobody's: they are not compared. */
const MAX_REQUEST_ID = 128;
const MAX_TARGET = 256;
/** While records fail, one line a second says so. */
const LOG_EVERY_MS = 1_000;

/** What the metrics page shows. */
export interface InspectCounts {
  allowed: number;
  denied: number;
  /** Requests whose decision could not be recorded, or that came for a port that is not known. */
  failures: number;
}

/** Decides each request, records the decision, and only then answers. */
export class Inspector implements Answerer {
  readonly counts: InspectCounts = { allowed: 0, denied: 0, failures: 0 };
  readonly #portOf: (port: number) => ServedPort | undefined;
  readonly #drawId: () => string;
  readonly #now: () => number;
  readonly #logger: Logger;
  readonly #repeats = new Repeats();
  readonly #digests = new WeakMap<Buffer, KeyedDigest>();
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly portOf: (port: number) => ServedPort | undefined;
    readonly drawId: () => string;
    /** Milliseconds since the epoch. */
    readonly now: () => number;
    readonly logger: Logger;
  }) {
    this.#portOf = options.portOf;
    this.#drawId = options.drawId;
    this.#now = options.now;
    this.#logger = options.logger;
  }

  maxRequestBytes(port: number): number {
    return this.#portOf(port)?.rules.maxRequestBytes ?? 0;
  }

  async answer(question: Question): Promise<Answer> {
    const served = this.#portOf(question.port);
    if (served === undefined) {
      this.#failed(question.port, "unknown_port");
      return FAILED;
    }
    const decision = this.#drawId();
    const reading = readRequest(question, { maxRequestBytes: served.rules.maxRequestBytes });
    const read = reading instanceof Promise ? await reading : reading;
    const subject: Subject = {
      caller: callerOf(textOf(question.headers["x-forwarded-client-cert"])),
      method: question.method,
      path: question.path,
    };
    const verdict = question.overload ? overloaded(served.rules) : judge(subject, read, served.rules);
    const recorded = await this.#record(question, served, subject, read, verdict, decision);
    if (!recorded && served.failMode === "closed") return refuse(question, read, decision, 503);
    if (verdict.kind === "allow") {
      this.counts.allowed += 1;
      return allowed(decision);
    }
    this.counts.denied += 1;
    return refuse(question, read, decision, verdict.status);
  }

  /** False where the record could not be written. */
  async #record(
    question: Question,
    { rules, recorder, failMode }: ServedPort,
    subject: Subject,
    read: ReadResult,
    verdict: Verdict,
    id: string,
  ): Promise<boolean> {
    if (recorder === undefined) {
      this.#failed(rules.port, "no_ledger");
      return false;
    }
    const requestId = textOf(question.headers["x-request-id"]);
    const inputDigest = read.kind === "infer" ? this.#digestBy(recorder.digestKey).of(read.decoded) : undefined;
    const target = read.kind === "infer" ? JSON.stringify([rules.port, read.model, read.version]) : "";
    const isKnowable = requestId !== undefined && requestId.length <= MAX_REQUEST_ID && target.length <= MAX_TARGET;
    const identity =
      inputDigest !== undefined && isKnowable ? { caller: subject.caller, requestId, target, inputDigest } : undefined;
    try {
      const repeats = identity && this.#repeats.meet(identity, id, this.#now());
      const payload = read.kind === "infer" ? recorder.payloadFor(read.decoded) : undefined;
      const bodyBytes = question.body.length;
      await recorder.record(
        decisionRecord(subject, read, rules, verdict, { id, requestId, bodyBytes, inputDigest, repeats, payload }),
      );
      return true;
    } catch (error) {
      if (identity !== undefined) this.#repeats.forget(identity, id);
      const code = codeOf(error);
      this.#failed(rules.port, code, messageOf(error));
      if (failMode === "open") recorder.missed(code);
      return false;
    }
  }

  #digestBy(key: Buffer): KeyedDigest {
    const known = this.#digests.get(key);
    if (known !== undefined) return known;
    const digest = new KeyedDigest(key);
    this.#digests.set(key, digest);
    return digest;
  }

  #failed(port: number, code: string, error?: string): void {
    this.counts.failures += 1;
    if (this.#now() - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedMs = this.#now();
    this.#logger.error(
      { port, error_code: code, error, failures: this.counts.failures },
      "Could not record a decision",
    );
  }
}

function refuse(
  question: Question,
  { protocol }: ReadResult,
  decision: string,
  status: 503 | Denied["status"],
): Answer {
  return denied({ decision, status, protocol, contentType: textOf(question.headers["content-type"]) ?? "" });
}

type Denied = Extract<Verdict, { kind: "deny" }>;

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.join(",");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "write_failed";
}
