import type { Command } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

/** What a person wrote behind `token create NS/NAME`. */
export interface TokenOptions {
  readonly reusable?: boolean;
  readonly ttl?: string;
  readonly out?: string;
}

export function addToken(program: Command, session: Session): void {
  const token = program
    .command("token")
    .summary("let a workload in: join tokens")
    .description("Makes join tokens: what a new sidecar proves itself with, once, to get its identity.")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow token create models/digits-1 --out digits-1.token
  $ hedgerow token create --help`,
      ),
    );
  token
    .command("create")
    .summary("make a join token for one workload")
    .description(
      "Makes a join token for one Workload. Whoever holds it can become that workload: hand it over like a password. It " +
        "carries the digest of the mesh's trust root, so that the new sidecar also knows its control plane.",
    )
    .argument("<namespace/name>", "the Workload")
    .option("--reusable", "may be used again and again, so that an agent that crashed restarts without a person")
    .option("--ttl <duration>", "how long it is valid, as in 90s, 15m or 1h30m (default: 1h, with --reusable 8760h)")
    .option("--out <file>", "write it there, readable by its owner only, instead of printing it")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  Into a file that the agent reads as HEDGEROW_TOKEN_FILE:
  $ hedgerow token create models/digits-1 --out digits-1.token
  digits-1.token: for models/digits-1, single use, expires 2026-11-24T11:00:00.000Z

  Straight to another machine, never on a disk of this one:
  $ hedgerow token create models/digits-1 --ttl 5m | ssh digits-1 'umask 077; cat > /run/hedgerow/token'

  For a workload that restarts by itself:
  $ hedgerow token create fraud/fraud-api-1 --reusable --ttl 720h --out fraud-api-1.token

Role: operator.`,
      ),
    )
    .action(async (nodeId: string, options: TokenOptions, command: Command) => {
      const { createToken } = await import("../actions/token.ts");
      session.exitCode = await createToken(session, command, nodeId, options);
    });
}
