import { type Command, Option } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

/** What a person wrote behind `inject`. */
export interface InjectOptions {
  readonly file: readonly string[];
  readonly roots: string;
  readonly image?: string;
  readonly revision: string;
  readonly enroll?: string;
  readonly mesh?: string;
}

export function addInject(program: Command, session: Session): void {
  program
    .command("inject")
    .summary("put the sidecar into workloads, as the webhook would")
    .description(
      "Reads Kubernetes manifests and prints them with the sidecar in every pod: Deployments, StatefulSets, DaemonSets, " +
        "ReplicaSets, Jobs, CronJobs, Pods and lists of them. Everything else is printed as it is. For clusters without the " +
        "webhook, and to see what it does. Doing it twice changes nothing; a newer version replaces an older one's sidecar. " +
        'Pods labelled hedgerow.dev/inject: "false" are left alone; without a namespace\'s label all others are not.',
    )
    .requiredOption("-f, --file <path...>", "manifests: files, directories, or - for standard input")
    .requiredOption("--roots <file>", "the mesh's trust bundle, PEM, by which the sidecar knows the control plane")
    .option("--image <image>", "of the sidecar (default: $HEDGEROW_SIDECAR_IMAGE, else this version's)")
    .addOption(new Option("--revision <name>", "of the control plane, noted in the pods").default("default"))
    .option("--enroll <host:port>", "the control plane's enrolment, as pods reach it (default: its Service's)")
    .option("--mesh <host:port>", "the control plane's mTLS port, as pods reach it (default: its Service's)")
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  The roots of the mesh in this cluster:
  $ kubectl get mutatingwebhookconfiguration hedgerow-default \\
      -o jsonpath='{.webhooks[0].clientConfig.caBundle}' | base64 -d > roots.pem

  Inject and apply:
  $ hedgerow inject -f app.yaml --roots roots.pem | kubectl apply -f -

  What does it change?
  $ hedgerow inject -f app.yaml --roots roots.pem | diff app.yaml -

  What runs already:
  $ kubectl get deployment api -o yaml | hedgerow inject -f - --roots roots.pem | kubectl apply -f -

Ends with 1, and prints nothing, when a workload can't be injected: the reasons go to standard error.`,
      ),
    )
    .action(async (options: InjectOptions, command: Command) => {
      const { inject } = await import("../actions/inject.ts");
      session.exitCode = await inject(session, command, options);
    });
}
