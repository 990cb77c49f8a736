import type { Command } from "commander";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

export function addProxies(program: Command, session: Session): void {
  program
    .command("proxies")
    .summary("which sidecars are connected, ready and up to date")
    .description(
      "Shows every sidecar that is connected, or was recently: whether its workload takes traffic, for how long it has been " +
        "connected, its Envoy, and for each kind of configuration whether it runs what the control plane holds for it.",
    )
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow proxies
  NODE             READY  CONNECTED  ENVOY   CDS  EDS  LDS  RDS  AGENT  WHY
  fraud/fraud-api  yes    3h         1.40.0  ✓    ✓    ✓    !    ✓      RDS: route: unknown cluster 'x'
  models/digits-1  yes    3h         1.40.0  ✓    ✓    ✓    ✓    ✓

  ! 1 of 2 proxies ready and current
    ✓ current  … not acknowledged yet  ! refused by Envoy  – nothing held

  CDS clusters, EDS endpoints, LDS listeners, RDS routes, AGENT the agent's own configuration.

  Who is not connected, for a script:
  $ hedgerow proxies -o json | jq -r '.proxies[] | select(.connected | not) | .nodeId'

Ends with 0 when every proxy is connected, ready and current, with 1 when one is not.`,
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const { showProxies } = await import("../actions/proxies.ts");
      session.exitCode = await showProxies(session, command);
    });
}
