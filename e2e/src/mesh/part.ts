import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../..");
const killAfterMs = 20_000;

const started = new Set<Part>();

// The last resort, where whoever started a part dies before it could stop it: an agent that is asked to stop takes its
// Envoy along.
process.once("exit", () => {
  for (const part of started) part.signal("SIGTERM");
});

/** A part of the mesh as its own process, as in production. Its output goes to a file, which outlives it. */
export class Part implements AsyncDisposable {
  readonly name: string;
  readonly logFile: string;
  readonly #main: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #exited: Promise<string> = Promise.resolve("never started");

  /** `main` is the entry point, relative to the project. */
  constructor(name: string, main: string, env: Readonly<Record<string, string>>, logFile: string) {
    this.name = name;
    this.logFile = logFile;
    this.#main = main;
    this.#env = env;
  }

  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the process is gone, to how it went. */
  get exited(): Promise<string> {
    return this.#exited;
  }

  start(): void {
    if (this.running) throw new Error(`${this.name} runs already`);
    const log = openSync(this.logFile, "a");
    const child = spawn(process.execPath, [join(root, this.#main)], {
      cwd: root,
      env: { ...process.env, ...this.#env },
      // Ctrl-C on a terminal is for whoever started the mesh, who stops its parts in order.
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#child = child;
    started.add(this);
    this.#exited = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `status ${code}`));
    }).finally(() => started.delete(this));
  }

  signal(name: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    if (this.running) this.#child?.kill(name);
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    if (!this.running) return;
    this.signal(signal);
    const forced = setTimeout(() => this.signal("SIGKILL"), killAfterMs);
    await this.#exited;
    clearTimeout(forced);
  }

  /** What it wrote, oldest first; lines that are not JSON come as `{ text }`. */
  log(): readonly Readonly<Record<string, unknown>>[] {
    return readLines(this.logFile);
  }

  /** The last lines of the log, for an error message. */
  lastWords(): string {
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-8).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A file of JSON lines; a line still being written is left out. */
export function readLines(file: string): readonly Readonly<Record<string, unknown>>[] {
  const text = readFileSync(file, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line.length > 0)
    .map((line) => {
      try {
        return JSON.parse(line) as Record<string, unknown>;
      } catch {
        return { text: line };
      }
    });
}
