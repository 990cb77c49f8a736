import type { Command } from "commander";
import type { ValidateOptions } from "../commands/validate.ts";
import { type ExitCode, exitCodes } from "../errors.ts";
import { type Checked, checkManifests } from "../manifests/check.ts";
import { readManifests } from "../manifests/read.ts";
import { renderDocument } from "../screen/document.ts";
import { renderValidation, type Verdict } from "../screen/validation.ts";
import type { Session } from "../session.ts";

export async function validate(
  session: Session,
  command: Command,
  paths: readonly string[],
  { strict = false, kubernetes = false }: ValidateOptions,
): Promise<ExitCode> {
  const format = session.format(command);
  const found = await readManifests(paths.length === 0 ? ["."] : paths, () => session.host.readStdin());
  // What kustomize reads need not even say what it is.
  const files = kubernetes ? found.filter(({ file }) => !/(^|\/)kustomization\.ya?ml$/.test(file)) : found;
  const checked = checkManifests(files, { kubernetes });
  const isGood = checked.problems.length === 0 && !(strict && checked.warnings.length > 0);
  const verdict = { files: files.length, isGood };
  session.print(
    format === "table"
      ? renderValidation(checked, verdict, session.paint(command))
      : renderDocument(viewValidation(checked, verdict), format),
  );
  if (checked.isForACluster)
    session.say("hedgerow: with --kubernetes, kinds that the mesh does not read are passed over\n");
  return isGood ? exitCodes.ok : exitCodes.bad;
}

/** The stable shape of `hedgerow validate -o json|yaml` (docs/cli.md). */
function viewValidation({ objects, problems, warnings, notes, notRead }: Checked, { files, isGood }: Verdict) {
  return {
    good: isGood,
    files,
    objects: objects.length,
    problems: problems.map(({ position, field, code, message }) => ({ position, field, code, message })),
    warnings: warnings.map(({ position, field, reason, message }) => ({ position, field, reason, message })),
    notes: notes.map(({ position, field, message }) => ({ position, field, message })),
    notRead: Object.fromEntries(notRead),
  };
}
