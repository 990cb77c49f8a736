import { createServer, type Server } from "node:net";
import { LedgerError } from "../errors.ts";
import { systemCode } from "./files.ts";

/** Held until it is disposed of or the process ends, however it ends. */
export type Lock = AsyncDisposable;

/**
 * One writer a ledger: binds an abstract Unix socket named after its UUID, which the kernel takes back with the process, so that no lock
 * is ever left over. Rejects with `locked`. NOTE: abstract names are a network namespace's: two pods that share a volume don't see each other.
 */
export async function lockLedger(ledger: string): Promise<Lock> {
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, `\0hedgerow-ledger/${ledger}`);
  } catch (thrown) {
    if (systemCode(thrown) === "EADDRINUSE") throw new LedgerError("locked", `ledger ${ledger} has another writer`);
    throw thrown;
  }
  server.unref();
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
