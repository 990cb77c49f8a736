import type { Command } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

export function addStatus(program: Command, session: Session): void {
  program
    .command("status")
    .summary("is every manifest in effect, and if not, why")
    .description(
      "Shows every manifest that the control plane holds, whether the mesh does what it says, on how many of the " +
        "proxies that need it, and the first thing that keeps it from being in effect, with the place it is written at. " +
        "Then everything wrong in the source right now.",
    )
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow status
  POLICY                      EFFECTIVE  PROXIES  WHY
  AccessPolicy/models/digits  partly     4/5      models/digits-2 is disconnected
  HTTPRoute/models/digits     yes        5/5

  ! 1 of 2 objects in effect

  Wait until an edit is in effect everywhere:
  $ until hedgerow status > /dev/null; do sleep 0.2; done

  What is not in effect, for a script:
  $ hedgerow status -o json | jq -r '.objects[] | select(.effective != "yes") | .name'

Ends with 0 when everything is in effect, with 1 when something is not or the source has problems.`,
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const { showStatus } = await import("../actions/status.ts");
      session.exitCode = await showStatus(session, command);
    });
}
