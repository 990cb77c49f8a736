// Stands for the agent: answers Envoy's checks as it is told, or not at all.
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders, type Server } from "node:http";

/** What Envoy asks. */
export interface Check {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface CheckAnswer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** Undefined: it hangs; `"drop"`: it is gone. */
export type Answering = (check: Check) => CheckAnswer | "drop" | undefined;

export class CheckServer implements AsyncDisposable {
  /** All so far. */
  readonly checks: Check[] = [];
  answer: Answering;
  readonly #server: Server;

  private constructor(answer: Answering) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const check = { method, url, headers, body: Buffer.concat(parts) };
        this.checks.push(check);
        const answered = this.answer(check);
        if (answered === "drop") request.socket.destroy();
        else if (answered !== undefined) response.writeHead(answered.status, answered.headers).end(answered.body);
      });
    });
  }

  static async start(socket: string, answer: Answering): Promise<CheckServer> {
    const started = new CheckServer(answer);
    rmSync(socket, { force: true });
    started.#server.listen(socket);
    await once(started.#server, "listening");
    chmodSync(socket, 0o777);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}
