import { createServer } from "node:net";

// Below Linux' ephemeral range, so that an outgoing connection never takes a port between its choice and its use.
const first = 20_000;
const last = 31_999;

let next = first + (process.pid % 400) * 30;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** A TCP port of 127.0.0.1 that nobody listens on; never the same one twice in a process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < last - first; tries++) {
    const port = next;
    next = next >= last ? first : next + 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${first} to ${last}`);
}
