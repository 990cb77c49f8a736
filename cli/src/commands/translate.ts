import type { TypeName } from "@hedgerow/control-plane";
import { type Command, Option } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

const typeNames = [
  "listeners",
  "routes",
  "clusters",
  "endpoints",
  "workload-configs",
  "inspection-configs",
] as const satisfies TypeName[];

/** What a person wrote behind `translate`. */
export interface TranslateOptions {
  readonly proxy: string;
  readonly file: readonly string[];
  readonly type?: TypeName;
}

export function addTranslate(program: Command, session: Session): void {
  program
    .command("translate")
    .summary("what would one sidecar run: its xDS as YAML")
    .description(
      "Translates manifests as the control plane would, without one, and prints the Envoy configuration of one sidecar. " +
        "Every workload counts as ready. What the manifests warn of goes to standard error.",
    )
    .requiredOption("--proxy <namespace/name>", "the Workload whose sidecar it is")
    .requiredOption("-f, --file <path...>", "manifests: files, directories, or - for standard input")
    .addOption(new Option("--type <type>", "only these resources").choices(typeNames))
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  Everything that the sidecar of models/digits-1 would run:
  $ hedgerow translate --proxy models/digits-1 -f manifests/

  How a canary is split:
  $ hedgerow translate --proxy fraud/fraud-api --type routes -f manifests/

  What an edit changes for one sidecar:
  $ hedgerow translate --proxy fraud/fraud-api -f manifests/ > before.yaml
  $ "$EDITOR" manifests/route.yaml
  $ hedgerow translate --proxy fraud/fraud-api -f manifests/ | diff before.yaml -

  For a script:
  $ hedgerow translate --proxy fraud/fraud-api --type clusters -o json -f manifests/ | jq -r '.clusters[].name'

Ends with 1 when a manifest has problems or there is no such Workload.`,
      ),
    )
    .action(async (options: TranslateOptions, command: Command) => {
      const { translateFiles } = await import("../actions/translate.ts");
      session.exitCode = await translateFiles(session, command, options);
    });
}
