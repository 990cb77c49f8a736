import type { Command } from "commander";
import { checkCluster } from "../check/check-cluster.ts";
import type { CheckOptions } from "../commands/check.ts";
import { type ExitCode, exitCodes } from "../errors.ts";
import { gatherFacts } from "../kubectl/gather.ts";
import { Kubectl } from "../kubectl/kubectl.ts";
import { renderDocument } from "../screen/document.ts";
import { renderFindings } from "../screen/findings.ts";
import type { Session } from "../session.ts";

/** @throws CliError when the cluster could not be asked. */
export async function check(session: Session, command: Command, { context, json }: CheckOptions): Promise<ExitCode> {
  const format = json === true ? "json" : session.format(command);
  const kubectl = new Kubectl({ context, env: session.host.env });
  const findings = checkCluster(await gatherFacts(kubectl, () => session.host.now()));
  const good = findings.every(({ level }) => level !== "bad");
  session.print(
    format === "table" ? renderFindings(findings, session.paint(command)) : renderDocument({ good, findings }, format),
  );
  return good ? exitCodes.ok : exitCodes.bad;
}
