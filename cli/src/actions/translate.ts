import type { Command } from "commander";
import type { TranslateOptions } from "../commands/translate.ts";
import { CliError, type ExitCode } from "../errors.ts";
import type { Session } from "../session.ts";

export async function translateFiles(_s: Session, _c: Command, _o: TranslateOptions): Promise<ExitCode> {
  throw new CliError("usage", "not yet");
}
