/** How the command ends. Documented in `hedgerow --help` and docs/cli.md; scripts rely on it. */
export const exitCodes = {
  ok: 0,
  /** The answer is bad: problems found, something not in effect, no such object. */
  bad: 1,
  /** The command line is wrong, or a file it names cannot be read or written. */
  usage: 2,
  /** The control plane could not be reached. */
  unreachable: 3,
  /** The control plane, or the operating system, does not permit it; or one side does not trust the other's certificate. */
  refused: 4,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A failure that a person can act on: one line, lower case, what is wrong and what to do next. */
export class CliError extends Error {
  readonly code: Exclude<keyof typeof exitCodes, "ok">;

  constructor(code: CliError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.code = code;
  }
}

/** Why the operating system refused, in its own words, without the path and the call that the sentence around names. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /^E[A-Z]+: (.*?), \w+/.exec(message)?.[1] ?? message;
}
