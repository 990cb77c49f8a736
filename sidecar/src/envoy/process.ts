import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../backoff.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { pause } from "../pause.ts";
import type { EnvoyAdmin } from "./admin.ts";
import { findByOption, runsWith } from "./proc.ts";

const RESTART_BACKOFF = { baseMs: 100, maxMs: 10_000 };
/** An Envoy that ran this long did not fail at starting. */
const HEALTHY_AFTER_MS = 30_000;
/** How soon the end of an adopted Envoy is noticed at the latest; the end of its ADS stream is noticed at once. */
const WATCH_MS = 500;
/** How long Envoy may take to end after SIGTERM. */
const TERMINATE_MS = 5_000;
/** Callers need a moment to hear that this endpoint is gone; until then even an idle Envoy may be called. */
const LEAST_DRAIN_MS = 1_000;
/**
 * In a pod that has been called: nobody but the API server tells the callers, by way of EndpointSlices and the control plane,
 * and a connection to an address that is gone takes its time to fail.
 */
const LEAST_CAPTURED_DRAIN_MS = 5_000;
/** What requests get that came over a new connection while the others drained. */
const LAST_REQUESTS_MS = 1_000;
/** How long connections of an Envoy with an outdated bootstrap may finish. */
const REPLACE_DRAIN_MS = 5_000;

/** Names in the run directory. */
const BOOTSTRAP_PREFIX = "envoy-bootstrap-";
export const ACCESS_LOG = "envoy-access.log";
export const ENVOY_LOG = "envoy.log";
const PID_FILE = "envoy.pid";
/** The option of Envoy by which its process is known. */
const BOOTSTRAP_OPTION = "--config-path";

/**
 * Starts, adopts, watches and stops the one Envoy of a run directory. It outlives the agent: own process group, no pipes of
 * the agent's.
 */
export class EnvoyProcess {
  readonly #binary: string;
  readonly #arguments: readonly string[];
  readonly #bootstrap: string;
  readonly #bootstrapPath: string;
  readonly #runDirectory: string;
  readonly #log: "files" | "stdout";
  readonly #admin: EnvoyAdmin;
  readonly #onEnded: () => void;
  readonly #random: () => number;
  readonly #logger: Logger;
  #pid: number | undefined;
  #restarts = 0;
  #look: () => void = () => undefined;

  constructor(options: {
    readonly binary: string;
    /** Worker threads. */
    readonly concurrency: number;
    /** From buildBootstrap. */
    readonly bootstrap: string;
    readonly runDirectory: string;
    /**
     * Where its access log and messages go: `files` of the run directory, or `stdout`, this process's own, which has to
     * outlive it: a container's does.
     */
    readonly log: "files" | "stdout";
    readonly admin: EnvoyAdmin;
    /** Whatever Envoy was there before has ended. */
    readonly onEnded: () => void;
    readonly random: () => number;
    readonly logger: Logger;
  }) {
    // Envoy runs in the run directory, not where the agent was started.
    this.#binary = options.binary.includes("/") ? resolve(options.binary) : options.binary;
    this.#bootstrap = options.bootstrap;
    this.#runDirectory = options.runDirectory;
    this.#log = options.log;
    this.#admin = options.admin;
    this.#onEnded = options.onEnded;
    this.#random = options.random;
    this.#logger = options.logger;
    const flags = [
      "--concurrency",
      String(options.concurrency),
      // Restarts go through the relay; shared memory and base ids would only collide.
      "--disable-hot-restart",
      // A listener that changed lets its streams end for as long as a workload may ask to drain.
      "--drain-time-s",
      "600",
      "--drain-strategy",
      "immediate",
      "--log-level",
      "warning",
      // Ten seconds by default; whoever asks who was refused should not wait for that, nor lose it to a crash.
      "--file-flush-interval-msec",
      "500",
    ];
    // The path names the whole of what Envoy was started with, so that a command line alone tells whether to adopt it.
    const digest = createHash("sha256")
      .update(JSON.stringify([options.binary, flags, options.log, options.bootstrap]))
      .digest("hex")
      .slice(0, 12);
    this.#bootstrapPath = join(options.runDirectory, `${BOOTSTRAP_PREFIX}${digest}.json`);
    this.#arguments = [BOOTSTRAP_OPTION, this.#bootstrapPath, ...flags];
  }

  /** Of the Envoy that runs now. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Starts after the first, since the agent started. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Says that Envoy may just have ended. */
  lookNow(): void {
    this.#look();
  }

  /** Adopts or starts Envoy and keeps it running until the signal aborts; Envoy then runs on. */
  async run(signal: AbortSignal): Promise<void> {
    this.#pid = await this.#adopt();
    if (this.#pid === undefined) this.#onEnded();
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = performance.now();
      if (this.#pid === undefined) await this.#start();
      if (!(await this.#ended(signal))) return;
      this.#onEnded();
      failures = performance.now() - startedMs >= HEALTHY_AFTER_MS ? 0 : failures;
      const delayMs = backoffMs(failures, RESTART_BACKOFF, this.#random());
      failures += 1;
      this.#restarts += 1;
      this.#logger.error({ pid: this.#pid, restart_in_ms: Math.round(delayMs) }, "Envoy ended, starting it again");
      this.#pid = undefined;
      await pause(delayMs, signal);
    }
  }

  /** SIGTERM, and SIGKILL where that does not do. To be called after `run` has ended. */
  async stop(): Promise<void> {
    if (this.#pid !== undefined) await this.#terminate(this.#pid, this.#bootstrapPath);
    this.#pid = undefined;
    this.#onEnded();
    await this.#removePid();
  }

  /**
   * Asks every peer to leave and waits until they have, at most `limitMs`, still taking connections; then takes none and lets
   * the requests that came meanwhile finish, a second more at most. `captured`: nobody has told the callers on our behalf. A
   * caller that has not heard that this endpoint is gone, as when the control plane is away, connects again whenever it is
   * asked to leave: refused, it tries another endpoint. This Envoy is not adopted any more.
   */
  async drain(limitMs: number, captured = false): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    try {
      await this.#removePid();
      const called = captured && (await this.#admin.capturedConnections()) > 0;
      await this.#admin.drainListeners();
      await sleep(Math.min(called ? LEAST_CAPTURED_DRAIN_MS : LEAST_DRAIN_MS, limitMs));
      await this.#peersLeave(deadlineMs);
      await this.#admin.closeListeners();
      await this.#peersLeave(performance.now() + LAST_REQUESTS_MS);
    } catch (error) {
      // An Envoy that does not answer has nothing left to drain politely.
      this.#logger.warn({ error: messageOf(error) }, "Could not drain Envoy");
    }
  }

  async #peersLeave(deadlineMs: number): Promise<void> {
    while ((await this.#admin.activeConnections()) > 0 && performance.now() < deadlineMs) await sleep(100);
  }

  /**
   * The Envoy that runs here from the same bootstrap, if `envoy.pid` vouches for it; every other one is ended. One that was
   * draining when its agent died has no such file: its listeners are about to close.
   */
  async #adopt(): Promise<number | undefined> {
    const recorded = await this.#readPid();
    const running = await findByOption(BOOTSTRAP_OPTION, join(this.#runDirectory, BOOTSTRAP_PREFIX));
    const adopted = running.find(({ pid, value }) => pid === recorded && value === this.#bootstrapPath);
    for (const { pid, value } of running) {
      if (pid === adopted?.pid) continue;
      this.#logger.warn({ pid }, "Replacing an Envoy that drains or was started differently");
      // The admin socket is the adopted one's.
      if (adopted === undefined) await this.drain(REPLACE_DRAIN_MS);
      await this.#terminate(pid, value);
    }
    if (adopted !== undefined) this.#logger.info({ pid: adopted.pid }, "Adopted a running Envoy");
    return adopted?.pid;
  }

  async #start(): Promise<void> {
    try {
      await writeFile(this.#bootstrapPath, this.#bootstrap, { mode: 0o600 });
      await this.#removeOldBootstraps();
      await this.#spawn();
    } catch (error) {
      // A full disk, say: as long as it lasts, Envoy is down.
      this.#logger.error({ error: messageOf(error), binary: this.#binary }, "Could not start Envoy");
    }
  }

  async #spawn(): Promise<void> {
    const child = this.#log === "stdout" ? this.#spawnWith("inherit", "inherit") : this.#spawnWithFiles();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    child.once("spawn", () => resolve(undefined));
    child.once("error", reject);
    child.once("exit", (exitCode, signalName) => {
      this.#logger.warn({ pid: child.pid, exit_code: exitCode, signal: signalName }, "Envoy exited");
      this.#look();
    });
    await promise;
    child.unref();
    this.#pid = child.pid;
    this.#logger.info({ pid: child.pid }, "Started Envoy");
    const pidFile = join(this.#runDirectory, PID_FILE);
    await writeFile(`${pidFile}.new`, `${child.pid}\n`, { mode: 0o600 });
    await rename(`${pidFile}.new`, pidFile);
  }

  #spawnWithFiles(): ChildProcess {
    const access = openSync(join(this.#runDirectory, ACCESS_LOG), "a", 0o600);
    const log = openSync(join(this.#runDirectory, ENVOY_LOG), "a", 0o600);
    try {
      return this.#spawnWith(access, log);
    } finally {
      closeSync(access);
      closeSync(log);
    }
  }

  #spawnWith(access: number | "inherit", log: number | "inherit"): ChildProcess {
    // What its configuration names without a directory (OUTCOME_LOG) lies in the run directory.
    return spawn(this.#binary, this.#arguments, {
      cwd: this.#runDirectory,
      detached: true,
      stdio: ["ignore", access, log],
    });
  }

  /** True once Envoy has ended, false when the signal came first. */
  async #ended(signal: AbortSignal): Promise<boolean> {
    while (this.#pid !== undefined && (await runsWith(this.#pid, BOOTSTRAP_OPTION, this.#bootstrapPath))) {
      if (signal.aborted) return false;
      const woken = new AbortController();
      this.#look = () => woken.abort();
      await pause(WATCH_MS, AbortSignal.any([signal, woken.signal]));
    }
    return !signal.aborted;
  }

  async #terminate(pid: number, bootstrapPath: string): Promise<void> {
    const deadlineMs = performance.now() + TERMINATE_MS;
    let sent: "SIGTERM" | "SIGKILL" | undefined;
    while (await runsWith(pid, BOOTSTRAP_OPTION, bootstrapPath)) {
      const due = performance.now() < deadlineMs ? "SIGTERM" : "SIGKILL";
      if (sent !== due) signalProcess(pid, due);
      sent = due;
      await sleep(50);
    }
  }

  async #readPid(): Promise<number | undefined> {
    try {
      return Number(await readFile(join(this.#runDirectory, PID_FILE), "utf8"));
    } catch {
      // No Envoy was started here, or it was drained.
      return undefined;
    }
  }

  async #removePid(): Promise<void> {
    await rm(join(this.#runDirectory, PID_FILE), { force: true });
  }

  async #removeOldBootstraps(): Promise<void> {
    for (const name of await readdir(this.#runDirectory)) {
      const path = join(this.#runDirectory, name);
      if (name.startsWith(BOOTSTRAP_PREFIX) && path !== this.#bootstrapPath) await rm(path, { force: true });
    }
  }
}

function signalProcess(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself in the meantime.
  }
}
