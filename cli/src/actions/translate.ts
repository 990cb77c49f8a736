import {
  type ProxySnapshot,
  renderYaml,
  resourceJson,
  TYPE_NAMES,
  type TypeName,
  translate,
} from "@hedgerow/control-plane";
import type { Command } from "commander";
import type { TranslateOptions } from "../commands/translate.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { checkManifests, PLACEHOLDER_TRUST_DOMAIN, trustDomainOf, workloadIds } from "../manifests/check.ts";
import { readManifests } from "../manifests/read.ts";
import { renderDocument } from "../screen/document.ts";
import { plain } from "../screen/paint.ts";
import { renderProblem } from "../screen/problems.ts";
import type { Session } from "../session.ts";

export async function translateFiles(
  session: Session,
  command: Command,
  { proxy, file, type }: TranslateOptions,
): Promise<ExitCode> {
  const format = session.documentFormat(command);
  const { objects, problems, warnings, model } = checkManifests(
    await readManifests(file, () => session.host.readStdin()),
  );
  for (const problem of problems) session.say(renderProblem(problem, plain));
  if (problems.length > 0) return exitCodes.bad;
  for (const warning of warnings) session.say(renderProblem(warning, plain, "warning: "));
  if (trustDomainOf(objects) === undefined)
    session.say(
      `hedgerow: warning: no MeshConfig in these files: ${PLACEHOLDER_TRUST_DOMAIN} stands in for the trust domain\n`,
    );

  const snapshot = translate(model).get(proxy);
  if (snapshot === undefined)
    throw new CliError("bad", `no Workload ${proxy} in these files: ${named(workloadIds(objects))}`);
  const types = type === undefined ? undefined : [type];
  session.print(format === "yaml" ? renderYaml(snapshot, types) : renderDocument(resourcesOf(snapshot, types), format));
  return exitCodes.ok;
}

/** The same as the YAML says. */
function resourcesOf({ resources }: ProxySnapshot, types = Object.keys(TYPE_NAMES) as TypeName[]) {
  const byName = (type: TypeName) =>
    [...(resources.get(TYPE_NAMES[type])?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1)).map(resourceJson);
  return Object.fromEntries(types.map((type) => [type, byName(type)]));
}

/** A few of what there is, so that a person sees what was meant. */
function named(ids: readonly string[]): string {
  if (ids.length === 0) return "there is none";
  const shown = ids.slice(0, 5).join(", ");
  return ids.length > 5
    ? `there are ${shown} and ${ids.length - 5} more`
    : `there ${ids.length === 1 ? "is" : "are"} ${shown}`;
}
