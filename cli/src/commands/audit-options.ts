import { type Command, Option } from "commander";

/** Where ledgers lie, and what they are verified against. */
export interface LedgerOptions {
  readonly ledger?: readonly string[];
  readonly roots?: string;
  readonly witness?: string;
}

export interface EncryptionOptions {
  readonly encryptionKey?: string;
}

/** Which records. */
export interface SelectionOptions {
  readonly type?: readonly string[];
  readonly caller?: string;
  readonly model?: string;
  readonly verdict?: "allow" | "deny";
  readonly reason?: string;
  readonly policy?: string;
  readonly from?: string;
  readonly to?: string;
  readonly decision?: string;
  readonly request?: string;
}

const LEDGERS = "Ledgers:";
const RECORDS = "Which records:";

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export function addLedgerOption(command: Command): Command {
  return command
    .optionsGroup(LEDGERS)
    .addOption(
      new Option(
        "--ledger <dir>",
        "a ledger, or a directory with ledgers in or below it; may be repeated (default: $HEDGEROW_AUDIT, else /var/lib/hedgerow/audit)",
      ).argParser(collect),
    );
}

export function addTrustOptions(command: Command): Command {
  return command
    .option("--roots <file>", "the mesh's root certificates, PEM (default: asked of the control plane)")
    .option(
      "--witness <file>",
      "what the witness knows, saved by `hedgerow audit witness` (default: asked of the control plane)",
    );
}

export function addEncryptionOption(command: Command): Command {
  return command.option("--encryption-key <file>", "the key of an encrypted ledger: the policy's secret, 32 bytes");
}

export function addSelectionOptions(command: Command): Command {
  return command
    .optionsGroup(RECORDS)
    .option("--from <time>", "from then on: 2026-11-24, 2026-11-24T10:00:00Z, or how long ago: 24h, 7d")
    .option("--to <time>", "before then, written the same way")
    .option("--caller <caller>", "a SPIFFE id, NAMESPACE/SERVICE-ACCOUNT, NAMESPACE/*, or none: without an identity")
    .option("--model <name[@version]>", "the model that was asked for")
    .addOption(new Option("--verdict <verdict>", "let through, or refused").choices(["allow", "deny"]))
    .option("--reason <word>", "why it was refused: access, malformed, too_large, overload, …")
    .option("--policy <namespace/name>", "the AccessPolicy that decided")
    .option("--decision <id>", "a decision id, or how it begins")
    .option("--request <id>", "an x-request-id")
    .addOption(
      new Option(
        "--type <type>",
        "of record; may be repeated (default: decision, refusal and connection.refused)",
      ).argParser(collect),
    );
}
