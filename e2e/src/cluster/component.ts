import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import process from "node:process";
import { until } from "../mesh/until.ts";
import { childrenOf } from "./processes.ts";

const readyMs = 120_000;
const killAfterMs = 5_000;

export interface ComponentOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly logFile: string;
  /** True once it does its work; asked again and again after a start. */
  readonly ready: () => Promise<boolean>;
  /** What runs the command elsewhere, put before it: how to enter a node's namespaces. */
  readonly within?: readonly string[] | undefined;
}

/** One process of a cluster. It dies with the process that started it, however that ends. */
export class Component {
  readonly name: string;
  readonly logFile: string;
  readonly #command: readonly string[];
  readonly #entersNode: boolean;
  readonly #ready: () => Promise<boolean>;
  #child: ChildProcess | undefined;
  #exited: Promise<string> = Promise.resolve("never started");

  constructor({ name, command, logFile, ready, within = [] }: ComponentOptions) {
    this.name = name;
    this.logFile = logFile;
    this.#ready = ready;
    this.#entersNode = within.length > 0;
    // The kernel's own promise: an orphan would hold its port and its data for ever. Where another program stands before
    // it, that one is its parent, and dies with us by the same promise.
    const mortal = ["setpriv", "--pdeathsig", "KILL", "--"];
    this.#command = [...mortal, ...within, ...(within.length > 0 ? mortal : []), ...command];
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it and awaits its readiness, two minutes at most; throws with its last words where it ends before. */
  async start(signal?: AbortSignal): Promise<void> {
    this.spawn();
    await this.ready(signal);
  }

  /** Starts it without awaiting anything. */
  spawn(): void {
    if (this.running) throw new Error(`${this.name} runs already`);
    const log = openSync(this.logFile, "a");
    const [program = "", ...args] = this.#command;
    // Nothing of the person's environment: a proxy set there would be used between the parts.
    const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
    // A process group of its own: Ctrl-C on a terminal is for whoever started the cluster, who ends its parts in order.
    const child = spawn(program, args, { env, detached: true, stdio: ["ignore", log, log] });
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `status ${code}`));
    });
  }

  async ready(signal?: AbortSignal): Promise<void> {
    const ended = this.#exited.then((how) => {
      throw new Error(`${this.name} ended with ${how}:\n${this.lastWords()}`);
    });
    // It may end long after it was ready.
    ended.catch(() => {});
    const stopped = new AbortController();
    const either = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
    try {
      await Promise.race([
        ended,
        until(`${this.name} is ready`, readyMs, this.#ready, { everyMs: 50, signal: either }),
      ]);
    } catch (error) {
      if (!this.running || signal?.aborted) throw error;
      throw new Error(`${this.name} is not ready:\n${this.lastWords()}`, { cause: error });
    } finally {
      stopped.abort(new Error("no longer awaited"));
    }
  }

  /** Asks it to end, and kills it after 5 s. */
  async stop(): Promise<void> {
    if (!this.running) return;
    const forced = setTimeout(() => this.#signal("SIGKILL"), killAfterMs);
    this.#signal("SIGTERM");
    await this.#exited;
    clearTimeout(forced);
  }

  /** Ends it without warning, as a power cut does. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.#signal("SIGKILL");
    await this.#exited;
  }

  /** The last lines of its log, for an error message. */
  lastWords(): string {
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-12).join("\n");
  }

  // What enters a namespace waits for its child and ends as the child did.
  #signal(name: "SIGTERM" | "SIGKILL"): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    const [inner] = this.#entersNode ? childrenOf(pid) : [];
    try {
      process.kill(inner ?? pid, name);
    } catch {
      // It ended meanwhile.
    }
  }
}
