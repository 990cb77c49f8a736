import { readFile } from "node:fs/promises";
import type { Enrolment } from "../config.ts";
import { messageOf, SidecarError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { pause } from "../pause.ts";
import type { CaClient } from "./ca-client.ts";
import { nextStep, renewAtMs, retryDelayMs } from "./renewal.ts";
import type { Svid } from "./svid.ts";
import { decodeToken, type EnrolmentToken } from "./token.ts";

/** setTimeout's own limit (2^31 − 1 ms); a longer wait is made of several. */
const MAX_SLEEP_MS = 2 ** 31 - 1;

const NAMES = { join_token: "join token", service_account: "service-account token" } as const;

/** Reads the token from its file. Errors: token_invalid (unreadable, or not such a token). */
async function readToken(enrolment: Enrolment): Promise<EnrolmentToken> {
  const name = `${NAMES[enrolment.kind]} ${enrolment.tokenFile}`;
  let text: string;
  try {
    text = await readFile(enrolment.tokenFile, "utf8");
  } catch (error) {
    throw new SidecarError("token_invalid", `read ${name}: ${messageOf(error)}`, error);
  }
  const decoded = decodeToken(text, enrolment);
  if (!decoded.ok) throw new SidecarError("token_invalid", `${name}: ${decoded.message}`);
  return decoded.value;
}

/** Who this agent is, before any control plane has said so. Errors: token_invalid, where only the token says it. */
export async function nodeIdOf(enrolment: Enrolment): Promise<string> {
  return enrolment.kind === "service_account" ? enrolment.nodeId : (await readToken(enrolment)).nodeId;
}

/**
 * Holds the workload's SVID and keeps it fresh, for as long as the agent lives: a control plane that is down or that refuses
 * is asked again, never given up. The token file is read again at every enrolment, so that a new token needs no restart: in
 * a pod the kubelet renews it.
 */
export class Identity {
  readonly #ca: CaClient;
  readonly #enrolment: Enrolment;
  readonly #nodeId: string;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #listeners: ((svid: Svid) => void)[] = [];
  #current: Svid | undefined;
  #rotations = 0;
  #failures = 0;

  constructor(options: {
    readonly ca: CaClient;
    readonly enrolment: Enrolment;
    /** NAMESPACE/NAME as the agent started; a token for another node is refused. */
    readonly nodeId: string;
    readonly now: () => number;
    readonly random: () => number;
    readonly logger: Logger;
  }) {
    this.#ca = options.ca;
    this.#enrolment = options.enrolment;
    this.#nodeId = options.nodeId;
    this.#now = options.now;
    this.#random = options.random;
    this.#logger = options.logger;
  }

  get current(): Svid | undefined {
    return this.#current;
  }

  /** SVIDs received since the agent started, the first included. */
  get rotations(): number {
    return this.#rotations;
  }

  /** Attempts to get an SVID that failed since the agent started. */
  get failures(): number {
    return this.#failures;
  }

  get valid(): boolean {
    return this.#current !== undefined && this.#now() < this.#current.notAfterMs;
  }

  /** Called with every new SVID, in the order of registration. */
  onSvid(listener: (svid: Svid) => void): void {
    this.#listeners.push(listener);
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failuresInARow = 0;
    let dueMs = this.#now();
    while (await this.#sleepUntil(dueMs, signal)) {
      const step = nextStep(this.#current, this.#now());
      try {
        this.#take(await this.#next(step, signal), step);
        failuresInARow = 0;
        dueMs = this.#current === undefined ? this.#now() : renewAtMs(this.#current, this.#random());
      } catch (error) {
        if (signal.aborted) return;
        failuresInARow += 1;
        this.#failures += 1;
        const delayMs = retryDelayMs(failuresInARow, this.#current, this.#now(), this.#random());
        dueMs = this.#now() + delayMs;
        this.#report(error, step, delayMs);
      }
    }
  }

  async #next(step: "renew" | "enrol", signal: AbortSignal): Promise<Svid> {
    if (step === "renew" && this.#current !== undefined) return await this.#ca.renew(this.#current, signal);
    const token = await readToken(this.#enrolment);
    if (token.nodeId !== this.#nodeId) {
      throw new SidecarError(
        "token_invalid",
        `join token is for ${token.nodeId}, this agent started as ${this.#nodeId}`,
      );
    }
    return await this.#ca.enrol(token, signal);
  }

  #take(svid: Svid, step: "renew" | "enrol"): void {
    this.#current = svid;
    this.#rotations += 1;
    this.#logger.info(
      { step, spiffe_id: svid.spiffeId, not_after: new Date(svid.notAfterMs).toISOString() },
      "Received an SVID",
    );
    for (const listener of this.#listeners) listener(svid);
  }

  #report(error: unknown, step: "renew" | "enrol", delayMs: number): void {
    const leftMs = this.#current === undefined ? undefined : this.#current.notAfterMs - this.#now();
    const fields = {
      step,
      error: messageOf(error),
      error_code: error instanceof SidecarError ? error.code : undefined,
      retry_in_ms: Math.round(delayMs),
      svid_seconds_left: leftMs === undefined ? undefined : Math.round(leftMs / 1000),
    };
    // Without a valid SVID the workload takes no new connections: that needs a person.
    if (leftMs === undefined || leftMs <= 0) this.#logger.error(fields, "No valid SVID, trying again");
    else this.#logger.warn(fields, "Renewal failed, trying again");
  }

  async #sleepUntil(dueMs: number, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const leftMs = dueMs - this.#now();
      if (leftMs <= 0) return true;
      await pause(Math.min(leftMs, MAX_SLEEP_MS), signal);
    }
    return false;
  }
}
