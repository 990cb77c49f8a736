// A listening Unix socket that a crash leaves behind and the next start replaces, but never under a living process.
import { chmod, link, lstat, rename, rm, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { ControlPlaneError, systemCode } from "../errors.ts";

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      const code = systemCode(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(false);
      // ENOTSOCK and EACCES: something else than a socket of ours, which is not ours to remove.
      else
        reject(new ControlPlaneError("SOCKET_UNUSABLE", `can't use ${path} as a socket (${code})`, { cause: error }));
    });
  });
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

// Moved aside before it is judged again: what two starts find dead at once, one of them may have replaced in between.
async function removeDead(path: string, aside: string): Promise<boolean> {
  // A plain file refuses connections, too.
  const stat = await lstat(path).catch(() => undefined);
  if (stat !== undefined && !stat.isSocket())
    throw new ControlPlaneError("SOCKET_UNUSABLE", `${path} is no socket, and is not replaced by one`);
  if (await isAlive(path)) return false;
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return true;
    throw error;
  }
  const alive = await isAlive(aside);
  if (alive) await linkNew(aside, path);
  await unlink(aside);
  return !alive;
}

/**
 * Listens at `path` with mode 0600, and appears there only once it does. Whoever closes the server removes the path.
 * Errors: SOCKET_IN_USE (a living process listens there), SOCKET_UNUSABLE (something else stands there).
 */
export async function listenUnix(server: Server, path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  // In a container, the process that crashed had our number.
  await rm(aside, { force: true });
  if (!(await removeDead(path, aside)))
    throw new ControlPlaneError("SOCKET_IN_USE", `another control plane listens on ${path}`);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(aside, resolve);
  });
  try {
    await chmod(aside, 0o600);
    if (!(await linkNew(aside, path)))
      throw new ControlPlaneError("SOCKET_IN_USE", `another control plane listens on ${path}`);
  } finally {
    await unlink(aside);
  }
}
