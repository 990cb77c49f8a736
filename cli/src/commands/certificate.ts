import { type Command, Option } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

/** What a person wrote behind `certificate create NAME`. */
export interface CertificateOptions {
  readonly role: string;
  readonly ttl?: string;
  readonly out: string;
}

export function addCertificate(program: Command, session: Session): void {
  const certificate = program
    .command("certificate")
    .summary("let a person in: admin certificates")
    .description(
      "Makes the certificates that people and systems use with --server, where the admin socket is out of reach.",
    )
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow certificate create alice --role viewer --out alice/
  $ hedgerow certificate create --help`,
      ),
    );
  certificate
    .command("create")
    .summary("make an admin certificate for one person")
    .description(
      "Makes a certificate for the admin port. The key is made here and never leaves: the control plane sees only its " +
        "public half. The certificate cannot be revoked, so it is short-lived: make a new one with the same command.",
    )
    .argument("<name>", "a person or a system: lower-case letters, digits and '-'")
    .addOption(
      new Option("--role <role>", "what the holder may do")
        .choices(["viewer", "operator", "auditor"])
        .makeOptionMandatory(),
    )
    .option("--ttl <duration>", "how long it is valid, from 1m to 720h (default: 8h)")
    .requiredOption("--out <dir>", "where cert.pem, key.pem and ca.pem go, readable by their owner only")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  On the control plane's machine, for a colleague who only looks:
  $ hedgerow certificate create alice --role viewer --out alice/
  alice/cert.pem: spiffe://bank.example/admin/viewer/alice, expires 2026-11-24T18:00:00.000Z
  alice/key.pem, alice/ca.pem

  What alice does with it:
  $ hedgerow status --server cp.example:15015 --cert alice/cert.pem --key alice/key.pem --ca alice/ca.pem

Roles:
  viewer    status, proxies, version
  auditor   the same, and what concerns audit
  operator  the same as viewer, and makes tokens and certificates

Role needed: operator (whoever may open the admin socket is one).`,
      ),
    )
    .action(async (name: string, options: CertificateOptions, command: Command) => {
      const { createCertificate } = await import("../actions/certificate.ts");
      session.exitCode = await createCertificate(session, command, name, options);
    });
}
