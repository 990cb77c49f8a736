import { CommanderError } from "commander";
import { CliError, type ExitCode, exitCodes } from "./errors.ts";
import type { Host } from "./host.ts";
import { createProgram } from "./program.ts";
import { printable } from "./screen/printable.ts";
import { Session } from "./session.ts";

/** Runs one command line, without the program's name; resolves to how the process should end. */
export async function run(args: readonly string[], host: Host): Promise<ExitCode> {
  const session = new Session(host);
  try {
    await createProgram(session).parseAsync(args, { from: "user" });
    return session.exitCode;
  } catch (error) {
    // Commander has said what it had to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (!(error instanceof CliError)) throw error;
    host.stderr.write(`hedgerow: ${printable(error.message)}\n`);
    return exitCodes[error.code];
  }
}
