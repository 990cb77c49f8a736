import type { Command } from "commander";
import { askAdmin } from "../admin/client.ts";
import { isoTime } from "../admin/time.ts";
import type { TokenOptions } from "../commands/token.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import type { Session } from "../session.ts";
import { parseTtl } from "./duration.ts";
import { writePrivateFile } from "./write-file.ts";

export async function createToken(
  session: Session,
  command: Command,
  nodeId: string,
  { reusable = false, ttl, out }: TokenOptions,
): Promise<ExitCode> {
  if (!/^[^/\s]+\/[^/\s]+$/.test(nodeId))
    throw new CliError("usage", `${nodeId} is no NAMESPACE/NAME of a Workload, as in models/digits-1`);
  const request = { nodeId, reusable, ...(ttl === undefined ? {} : { ttl: parseTtl(ttl) }) };
  const format = session.format(command);
  const answer = await askAdmin(session.endpoint(command), session.host.now(), (admin) => admin.createToken(request));
  const expiresAt = isoTime(answer.expiresAt) ?? null;

  if (out !== undefined) writePrivateFile(out, `${answer.token}\n`);
  const token = out === undefined ? { token: answer.token } : { file: out };
  if (format !== "table") session.print(renderDocument({ nodeId, reusable, expiresAt, ...token }, format));
  else if (out === undefined) session.print(`${answer.token}\n`);
  else
    session.print(`${out}: for ${nodeId}, ${reusable ? "reusable" : "single use"}, expires ${expiresAt ?? "never"}\n`);
  return exitCodes.ok;
}
