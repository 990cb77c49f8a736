import type { Command } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

/** What a person wrote behind `check`. */
export interface CheckOptions {
  readonly context?: string;
  readonly json?: boolean;
}

export function addCheck(program: Command, session: Session): void {
  program
    .command("check")
    .summary("a cluster: is Hedgerow well there, and what is to be done?")
    .description(
      "Looks at a Kubernetes cluster by the kubectl on the PATH, and says what is wrong or may not be meant so: versions, custom " +
        "resource definitions, control plane, webhooks, certificates, clocks, injection, plain text. Changes nothing: of two " +
        "objects it asks the API server only whether it would take them.",
    )
    .option("--context <name>", "of the kubeconfig (default: its current one)")
    .option("--json", "as -o json")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow check
  ✓ API server v1.36.3
  ✓ control plane 0.1.0, this command too
  ! pods take plain text: fraud
      → when all their callers are in the mesh: kubectl label namespace NAME hedgerow.dev/mtls=strict
  ! 2 checks, 1 to look at

  Of another cluster, for a machine:
  $ hedgerow check --context prod-eu -o json

Ends with 0 when nothing is ✗ (! may be), with 1 when something is, with 3 when the cluster can't be reached.`,
      ),
    )
    .action(async (options: CheckOptions, command: Command) => {
      const { check } = await import("../actions/check.ts");
      session.exitCode = await check(session, command, options);
    });
}
