import { chmod, mkdir, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { SidecarError } from "./errors.ts";

/** Sockets in the run directory. */
export interface Sockets {
  /** ADS and SDS of the agent. */
  readonly agent: string;
  /** Envoy's admin interface. */
  readonly admin: string;
}

/**
 * Makes the run directory, ours alone (0700), and clears the socket of an agent that was killed.
 * Errors: run_directory_unusable (another user's, or another agent lives in it).
 */
export async function prepareRunDirectory(directory: string): Promise<Sockets> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const owner = (await stat(directory)).uid;
  if (process.getuid !== undefined && owner !== process.getuid()) {
    throw new SidecarError("run_directory_unusable", `run directory ${directory} belongs to uid ${owner}`);
  }
  await chmod(directory, 0o700);
  const sockets = { agent: join(directory, "agent.sock"), admin: join(directory, "envoy-admin.sock") };
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
