import type { Command } from "commander";
import { askAdmin } from "../admin/client.ts";
import { isAllEffective, viewStatus } from "../admin/status-view.ts";
import { type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import { renderStatus } from "../screen/status.ts";
import type { Session } from "../session.ts";

export async function showStatus(session: Session, command: Command): Promise<ExitCode> {
  const format = session.format(command);
  const status = viewStatus(
    await askAdmin(session.endpoint(command), session.host.now(), (admin) => admin.getStatus({})),
  );
  session.print(
    format === "table" ? renderStatus(status, session.tableOptions(command)) : renderDocument(status, format),
  );
  return isAllEffective(status) ? exitCodes.ok : exitCodes.bad;
}
