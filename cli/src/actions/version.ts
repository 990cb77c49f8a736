import type { GetVersionResponse } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { Command } from "commander";
import { askAdmin } from "../admin/client.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import { printable } from "../screen/printable.ts";
import type { Session } from "../session.ts";
import { cliVersion } from "../version.ts";

/** The stable shape of `hedgerow version -o json|yaml` (docs/cli.md). */
interface VersionView {
  readonly version: string;
  /** Null when it could not be asked. */
  readonly controlPlane: {
    readonly version: string;
    readonly trustDomain: string;
    readonly rootDigests: readonly string[];
  } | null;
}

/** Prints what it knows before it fails. @throws CliError when the control plane could not be asked. */
export async function showVersion(session: Session, command: Command): Promise<ExitCode> {
  const format = session.format(command);
  const endpoint = session.endpoint(command);
  const print = (answer: GetVersionResponse | undefined) => {
    const view = viewVersion(answer);
    session.print(format === "table" ? renderVersion(view) : renderDocument(view, format));
  };
  try {
    print(await askAdmin(endpoint, session.host.now(), (admin) => admin.getVersion({})));
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CliError) print(undefined);
    throw error;
  }
}

function viewVersion(answer: GetVersionResponse | undefined): VersionView {
  const controlPlane =
    answer === undefined
      ? null
      : { version: answer.version, trustDomain: answer.trustDomain, rootDigests: answer.rootDigests };
  return { version: cliVersion(), controlPlane };
}

function renderVersion({ version, controlPlane }: VersionView): string {
  const lines: [label: string, value: string][] = [["hedgerow", version]];
  if (controlPlane !== null) {
    lines.push(["control plane", controlPlane.version], ["trust domain", controlPlane.trustDomain]);
    for (const digest of controlPlane.rootDigests) lines.push(["trust root", `SHA-256 ${digest}`]);
  }
  return lines.map(([label, value]) => `${label.padEnd(15)}${printable(value)}\n`).join("");
}
