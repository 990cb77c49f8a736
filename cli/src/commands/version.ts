import type { Command } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

export function addVersion(program: Command, session: Session): void {
  program
    .command("version")
    .summary("of this command and of the control plane")
    .description(
      "Shows the version of this command, and the version, trust domain and trust roots of the control plane.",
    )
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow version
  hedgerow       0.1.0
  control plane  0.1.0
  trust domain   bank.example
  trust root     SHA-256 6b1f…

  Of this command alone, without a control plane:
  $ hedgerow --version

Ends with 3 when there is no control plane; this command's own version is printed all the same.`,
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const { showVersion } = await import("../actions/version.ts");
      session.exitCode = await showVersion(session, command);
    });
}
