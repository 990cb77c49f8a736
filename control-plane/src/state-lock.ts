import { type FileHandle, open, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { listenUnix } from "./admin/unix-socket.ts";
import { ControlPlaneError } from "./errors.ts";

/**
 * Keeps a state directory for one process: two would spend a join token twice, and lose each other's last good manifests.
 * A Unix socket in it, since what a process listens on ends with it, however it ends. Nobody is answered there.
 */
export class StateLock implements AsyncDisposable {
  readonly #server: Server;
  readonly #path: string;
  readonly #directory: FileHandle;

  private constructor(server: Server, path: string, directory: FileHandle) {
    this.#server = server;
    this.#path = path;
    this.#directory = directory;
  }

  /** Errors: STATE_IN_USE (a living process has it), SOCKET_UNUSABLE (something else stands at lock.sock). */
  static async take(stateDir: string): Promise<StateLock> {
    const directory = await open(stateDir);
    // By way of the open directory: the path of a socket holds 108 bytes, that of a directory thousands.
    const path = `/proc/self/fd/${directory.fd}/lock.sock`;
    const server = createServer((stranger) => stranger.destroy());
    try {
      await listenUnix(server, path);
      return new StateLock(server, path, directory);
    } catch (error) {
      await directory.close();
      if (!(error instanceof ControlPlaneError)) throw error;
      if (error.code === "SOCKET_IN_USE")
        throw new ControlPlaneError("STATE_IN_USE", `another control plane uses the state directory ${stateDir}`);
      throw new ControlPlaneError(error.code, error.message.replaceAll(path, join(stateDir, "lock.sock")));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#directory.close();
  }
}
