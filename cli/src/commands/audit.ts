import { type Command, Option } from "commander";
import type { Session } from "../session.ts";
import {
  addEncryptionOption,
  addLedgerOption,
  addSelectionOptions,
  addTrustOptions,
  type EncryptionOptions,
  type LedgerOptions,
  type SelectionOptions,
} from "./audit-options.ts";
import { examples } from "./examples.ts";

export interface VerifyOptions extends LedgerOptions {
  readonly all?: boolean;
  readonly proof?: string;
}

export interface SearchOptions extends LedgerOptions, EncryptionOptions, SelectionOptions {
  readonly limit: string;
}

export interface ExportOptions extends LedgerOptions, EncryptionOptions, SelectionOptions {
  readonly format: "jsonl" | "csv";
  readonly out?: string;
}

export interface ProveOptions extends LedgerOptions, EncryptionOptions {
  readonly out?: string;
}

export interface WitnessOptions {
  readonly out?: string;
}

export function addAudit(program: Command, session: Session): void {
  const audit = program
    .command("audit")
    .summary("the audit ledgers: verify, search, export, prove")
    .description(
      "Reads audit ledgers: what callers asked of models, what was decided and how it ended, each ledger a directory that the " +
        "sidecar (or the control plane) wrote. Reading is itself recorded, in the control plane's own ledger, where that can be reached.",
    )
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  Is every ledger that the witness knows there, and whole?
  $ hedgerow audit verify --all

  What was refused since yesterday?
  $ hedgerow audit search --verdict deny --from 24h

  $ hedgerow audit verify --help`,
      ),
    );
  addVerify(audit, session);
  addSearch(audit, session);
  addExport(audit, session);
  addProve(audit, session);
  addWitness(audit, session);
}

function addVerify(audit: Command, session: Session): void {
  const command = audit
    .command("verify")
    .summary("was anything removed or altered")
    .description(
      "Verifies ledgers record by record: that none was altered, removed, added or moved, that checkpoints are signed by keys " +
        "which the mesh's authority certified for that workload, and that each ledger reaches as far as the witness remembers. " +
        "Names the record where something is wrong. Needs no key of an encrypted ledger.",
    );
  addTrustOptions(addLedgerOption(command))
    .option("--all", "every ledger that the witness knows must be there, too")
    .option("--proof <file>", "verify what `hedgerow audit prove` wrote, instead of ledgers; - is standard input")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow audit verify --all
  LEDGER                           RECORDS  SEGMENTS  CHECKPOINTS  WITNESSED  NOT YET  VERIFIED
  models/digits-1 (models/models)  2,431    1         14           6s ago     3        ✓ whole

  ✓ 1 ledger, 2,431 records, all verified

  As an auditor without access to the mesh, on copies:
  $ hedgerow audit verify --all --ledger ledgers/ --roots roots.pem --witness witness.json

  Check one proof:
  $ hedgerow audit verify --proof proof.json --roots roots.pem

Ends with 0 when nothing is wrong, with 1 when something is. What could not be verified (no roots, no witness) is said, and is
not wrong, but with --all, which needs the witness.`,
      ),
    )
    .action(async (options: VerifyOptions, command: Command) => {
      const { verifyLedgers } = await import("../actions/audit-verify.ts");
      session.exitCode = await verifyLedgers(session, command, options);
    });
}

function addSearch(audit: Command, session: Session): void {
  const command = audit
    .command("search")
    .summary("find decisions, refusals and acts of people")
    .description(
      "Shows what was decided, newest last, each with how it ended. A retry or hedge that the ledger knows as such is shown as a " +
        "repeat, and does not count as a request.",
    );
  addSelectionOptions(addEncryptionOption(addLedgerOption(command)))
    .option("--limit <n>", "at most so many, the newest; 0 for all", "100")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  What was refused in the last day?
  $ hedgerow audit search --verdict deny --from 24h

  What one caller asked of one model:
  $ hedgerow audit search --caller apps/batch-job --model digits@2

  Who edited policies, and who read the audit?
  $ hedgerow audit search --type policy.edited --type audit.read

  For a script, one JSON object a line:
  $ hedgerow audit search --verdict deny -o json | jq -r ".record.id // .record.request"

Ends with 0, whether it finds anything or not.`,
      ),
    )
    .action(async (options: SearchOptions, command: Command) => {
      const { searchLedgers } = await import("../actions/audit-search.ts");
      session.exitCode = await searchLedgers(session, command, options);
    });
}

function addExport(audit: Command, session: Session): void {
  const command = audit
    .command("export")
    .summary("records as JSON lines or CSV")
    .description(
      "Writes every record of a selection, however many, with outcomes, ledger by ledger in its order. Text that a spreadsheet " +
        "would run as a formula gets an apostrophe before it.",
    );
  addSelectionOptions(addEncryptionOption(addLedgerOption(command)))
    .addOption(
      new Option("--format <format>", "JSON, an object a line; or for a spreadsheet")
        .choices(["jsonl", "csv"])
        .default("jsonl"),
    )
    .option("--out <file>", "write it there, readable by its owner only, instead of printing it")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow audit export --from 2026-10-01 --to 2026-11-01 --format csv --out october.csv

  Of an encrypted ledger:
  $ hedgerow audit export --encryption-key audit-key/key --out records.jsonl

Ends with 0; with 1 where records are encrypted and there is no key for them.`,
      ),
    )
    .action(async (options: ExportOptions, command: Command) => {
      const { exportLedgers } = await import("../actions/audit-export.ts");
      session.exitCode = await exportLedgers(session, command, options);
    });
}

function addProve(audit: Command, session: Session): void {
  const command = audit
    .command("prove")
    .summary("prove one decision without showing the others")
    .description(
      "Writes one record with what proves that it stands in its ledger: the way to the root of its segment, and on to a signed " +
        "checkpoint that the witness countersigned. Of other records it shows hashes only. While the segment is still open the way " +
        "goes along the chain to the next checkpoint; where there is none yet, wait ten seconds.",
    )
    .argument("<decision-id>", "a decision id, how one begins (4 characters or more), or a request id");
  addEncryptionOption(addTrustOptions(addLedgerOption(command)))
    .option("--out <file>", "write it there, readable by its owner only, instead of printing it")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow audit prove 7Q3FK2M9 --out proof.json
  $ hedgerow audit verify --proof proof.json --roots roots.pem

Ends with 1 where there is no such decision, or no checkpoint covers it yet.`,
      ),
    )
    .action(async (id: string, options: ProveOptions, command: Command) => {
      const { proveDecision } = await import("../actions/audit-prove.ts");
      session.exitCode = await proveDecision(session, command, id, options);
    });
}

function addWitness(audit: Command, session: Session): void {
  audit
    .command("witness")
    .summary("save what the witness knows, for an auditor")
    .description(
      "Writes what the control plane, as witness, remembers of every ledger, and the mesh's root certificates: what `audit verify`, " +
        "`explain` and `evidence` ask for. An auditor who can't reach the control plane gives it to them as --witness FILE.",
    )
    .option("--out <file>", "write it there, readable by its owner only, instead of printing it")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow audit witness --out witness.json
  $ hedgerow audit verify --all --witness witness.json --ledger copies/`,
      ),
    )
    .action(async (options: WitnessOptions, command: Command) => {
      const { saveWitness } = await import("../actions/audit-witness.ts");
      session.exitCode = await saveWitness(session, command, options);
    });
}
