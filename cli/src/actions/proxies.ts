import type { Command } from "commander";
import { askAdmin } from "../admin/client.ts";
import { isHealthy, viewProxies } from "../admin/proxies-view.ts";
import { type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import { renderProxies } from "../screen/proxies.ts";
import type { Session } from "../session.ts";

export async function showProxies(session: Session, command: Command): Promise<ExitCode> {
  const format = session.format(command);
  const nowMs = session.host.now();
  const view = viewProxies(await askAdmin(session.endpoint(command), nowMs, (admin) => admin.listProxies({})));
  session.print(
    format === "table" ? renderProxies(view, nowMs, session.tableOptions(command)) : renderDocument(view, format),
  );
  return view.proxies.every(isHealthy) ? exitCodes.ok : exitCodes.bad;
}
