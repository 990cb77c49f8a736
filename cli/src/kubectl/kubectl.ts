import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { Look } from "../check/facts.ts";
import { listAt } from "../check/fields.ts";
import { CliError } from "../errors.ts";
import type { Host } from "../host.ts";

export interface KubectlAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  /** Of the kubeconfig; undefined: its current one. */
  readonly context: string | undefined;
  /** All of it: what a kubeconfig's credential plugins need is known to them alone. */
  readonly env: Host["env"];
}

/** The cluster by way of the kubectl on the PATH, and so by every way of logging in that a kubeconfig may name. */
export class Kubectl {
  readonly #options: KubectlOptions;
  readonly #flags: readonly string[];

  constructor(options: KubectlOptions) {
    this.#options = options;
    this.#flags = ["--request-timeout=15s", ...(options.context === undefined ? [] : [`--context=${options.context}`])];
  }

  /** Runs it to its end, however it ends. @throws CliError usage: there is no kubectl. */
  async run(args: readonly string[], stdin = ""): Promise<KubectlAnswer> {
    const child = this.start(args);
    // It may end without having read.
    child.stdin.on("error", () => {});
    child.stdin.end(stdin);
    const ended = new Promise<number>((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) => reject(notStarted(error)));
      child.once("close", (code) => resolve(code ?? 1));
    });
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    return { code, stdout, stderr };
  }

  /** Starts it, for what does not end by itself. */
  start(args: readonly string[]) {
    return spawn("kubectl", [...this.#flags, ...args], { env: { ...this.#options.env }, stdio: "pipe" });
  }

  /** What it prints as JSON; undefined where it prints nothing, as with --ignore-not-found. */
  async json(args: readonly string[]): Promise<Look<unknown>> {
    const { code, stdout, stderr } = await this.run([...args, "-o", "json"]);
    if (code !== 0) return { ok: false, why: complaintOf(stderr) };
    if (stdout.trim() === "") return { ok: true, value: undefined };
    try {
      const value: unknown = JSON.parse(stdout);
      return { ok: true, value };
    } catch {
      return { ok: false, why: "kubectl printed no JSON" };
    }
  }

  /** The items of a list that it prints. */
  async items(args: readonly string[]): Promise<Look<readonly unknown[]>> {
    const look = await this.json(args);
    return look.ok ? { ok: true, value: listAt(look.value, "items") } : look;
  }
}

function notStarted(error: NodeJS.ErrnoException): CliError {
  return error.code === "ENOENT"
    ? new CliError("usage", "there is no kubectl on the PATH: this command reaches the cluster by it", { cause: error })
    : new CliError("usage", `could not start kubectl: ${error.message}`, { cause: error });
}

/** The last thing that kubectl said, without its own preface. */
export function complaintOf(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  return (lines.at(-1) ?? "kubectl said nothing").replace(/^(error|Error from server \(\w+\)): /i, "");
}
