import type { Command } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

/** What a person wrote behind `validate`. */
export interface ValidateOptions {
  readonly strict?: boolean;
  readonly kubernetes?: boolean;
}

export function addValidate(program: Command, session: Session): void {
  program
    .command("validate")
    .summary("check manifests: every problem, with its line and column")
    .description(
      "Checks manifests as the control plane would, without one: all problems at once, each with file, line and column, " +
        "then a warning for each reference that leads nowhere and each policy that another one overrules, and a note for " +
        "what is valid and may not be wise.",
    )
    .argument("[path...]", "files, directories (every *.yaml and *.yml below), or - for standard input (default: .)")
    .option("--strict", "warnings count as problems: for a complete set of manifests, in which all must resolve")
    .option(
      "--kubernetes",
      "manifests for a cluster: pass over the kinds that the mesh does not read, and kustomization.yaml",
    )
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow validate manifests/
  manifests/route.yaml:11:43: unknown field spec.rules[0].backendRefs[0].wieght; did you mean weight?
  manifests/access.yaml:5:38: warning: service models/digits-v3 not found
  ! 8 valid objects in 2 files, 1 problem, 1 warning

  Only what you are about to commit:
  $ hedgerow validate $(git diff --cached --name-only -- '*.yaml')

  What another tool makes, before it is applied:
  $ kubectl kustomize overlays/prod | hedgerow validate --kubernetes -

  In CI, where the set is complete, for a machine:
  $ hedgerow validate --strict -o json manifests/

Ends with 0 when there are no problems (warnings and notes may be), with 1 when there are.`,
      ),
    )
    .action(async (paths: readonly string[], options: ValidateOptions, command: Command) => {
      const { validate } = await import("../actions/validate.ts");
      session.exitCode = await validate(session, command, paths, options);
    });
}
