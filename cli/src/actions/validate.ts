import type { Command } from "commander";
import type { ValidateOptions } from "../commands/validate.ts";
import { CliError, type ExitCode } from "../errors.ts";
import type { Session } from "../session.ts";

export async function validate(
  _s: Session,
  _c: Command,
  _p: readonly string[],
  _o: ValidateOptions,
): Promise<ExitCode> {
  throw new CliError("usage", "not yet");
}
