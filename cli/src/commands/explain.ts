import type { Command } from "commander";
import type { Session } from "../session.ts";
import {
  addEncryptionOption,
  addLedgerOption,
  addTrustOptions,
  type EncryptionOptions,
  type LedgerOptions,
} from "./audit-options.ts";
import { examples } from "./examples.ts";

export interface ExplainOptions extends LedgerOptions, EncryptionOptions {}

export function addExplain(program: Command, session: Session): void {
  const command = program
    .command("explain")
    .summary("one decision: who, what, why, and how it ended")
    .description(
      "Explains one decision from the audit ledger: who asked what, which rule decided and why, how it ended, where it is recorded, " +
        "and whether that record verifies. The id is what a refused caller was told.",
    )
    .argument("<decision-id>", "a decision id, how one begins (4 characters or more), or a request id");
  addEncryptionOption(addTrustOptions(addLedgerOption(command)))
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow explain 7Q3F
  7Q3FK2M9D0Z4XN8B  refused with 403
  who    apps/batch-job (spiffe://bank.example/ns/apps/sa/batch-job)
  what   infer digits, over grpc, 3,137 bytes
  why    no rule of AccessPolicy models/digits (generation 3) allows it
  …

Ends with 0; with 1 where there is no such decision, there are several, or the record does not verify.`,
      ),
    )
    .action(async (id: string, options: ExplainOptions, command: Command) => {
      const { explain } = await import("../actions/explain.ts");
      session.exitCode = await explain(session, command, id, options);
    });
}
