import { execFile } from "node:child_process";

const outputBytes = 64 << 20;

/** A command that ended with another status than 0, or could not run; its message ends in what it wrote to stderr. */
export class CommandError extends Error {
  override name = "CommandError";
  readonly status: number | undefined;
  readonly stderr: string;

  constructor(command: string, status: number | undefined, stderr: string, cause: unknown) {
    super(`${command} ${status === undefined ? "could not run" : `ended with status ${status}`}: ${stderr.trim()}`, {
      cause,
    });
    this.status = status;
    this.stderr = stderr;
  }
}

export interface RunOptions {
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a command to its end and resolves to what it wrote to stdout, at most 64 MiB. Throws CommandError. */
export function run(command: string, args: readonly string[], { stdin, ...options }: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { ...options, maxBuffer: outputBytes }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const status = typeof error.code === "number" ? error.code : undefined;
      const words = [command, ...args].join(" ").slice(0, 300);
      reject(new CommandError(words, status, status === undefined ? `${error.message}\n${stderr}` : stderr, error));
    });
    // Who does not read its input closes it early; what went wrong is in its status.
    child.stdin?.on("error", () => {});
    child.stdin?.end(stdin ?? "");
  });
}
