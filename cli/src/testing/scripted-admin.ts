import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";

/** A real Connect server on a Unix socket with the answers of a test; a call that it does not expect is UNIMPLEMENTED. */
export interface ScriptedAdmin extends AsyncDisposable {
  readonly socket: string;
  /** A directory of the test's own, removed at the end. */
  readonly directory: string;
}

export async function scriptedAdmin(answers: Partial<ServiceImpl<typeof AdminService>>): Promise<ScriptedAdmin> {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-cli-"));
  const socket = join(directory, "admin.sock");
  const server = createServer(connectNodeAdapter({ routes: (router) => router.service(AdminService, answers) }));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    directory,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
