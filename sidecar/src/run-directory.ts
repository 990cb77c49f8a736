import { chmod, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { messageOf, SidecarError } from "./errors.ts";

/** Sockets in the run directory. */
export interface Sockets {
  /** ADS and SDS of the agent. */
  readonly agent: string;
  /** Envoy's admin interface. */
  readonly admin: string;
  /** The agent's inspection of requests. */
  readonly inspect: string;
}

/** Group and others may write. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Makes the run directory, ours alone (0700), and clears the socket of an agent that was killed.
 * Errors: run_directory_unusable (no directory of ours, others may have left something in it, or another agent lives in it).
 */
export async function prepareRunDirectory(directory: string): Promise<Sockets> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SidecarError("run_directory_unusable", `make run directory: ${messageOf(error)}`, error);
  }
  // Not through a symbolic link: whoever could place one would choose the directory that we close to others.
  const found = await lstat(directory);
  if (!found.isDirectory()) throw new SidecarError("run_directory_unusable", `${directory} is no directory`);
  if (process.getuid !== undefined && found.uid !== process.getuid()) {
    throw new SidecarError("run_directory_unusable", `run directory ${directory} belongs to uid ${found.uid}`);
  }
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0 && (await readdir(directory)).length > 0) {
    throw new SidecarError(
      "run_directory_unusable",
      `run directory ${directory} is not empty and others may write to it: empty it, or make it 0700 if all in it is yours`,
    );
  }
  await chmod(directory, 0o700);
  const sockets = {
    agent: join(directory, "agent.sock"),
    admin: join(directory, "envoy-admin.sock"),
    inspect: join(directory, "inspect.sock"),
  };
  if (await accepts(sockets.agent)) {
    throw new SidecarError("run_directory_unusable", `another agent runs in ${directory}`);
  }
  await rm(sockets.agent, { force: true });
  return sockets;
}

async function accepts(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ path });
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  const accepted = await promise;
  socket.destroy();
  return accepted;
}
