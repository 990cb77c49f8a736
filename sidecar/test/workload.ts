import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { envoyPath } from "../../scripts/envoy-path.js";
import type { ScriptedControlPlane } from "./scripted-control-plane.ts";
import { until } from "./until.ts";

const agentAlone = [process.execPath, join(import.meta.dirname, "../src/main.ts")];
/** As in a container. */
export const entrypoint = [join(import.meta.dirname, "../entrypoint.sh")];

/** An agent as its own process, over a run directory that outlives it, with whatever Envoy it starts. */
export class AgentProcess implements AsyncDisposable {
  readonly directory: string;
  readonly run: string;
  readonly metricsPort: number;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #exit: Promise<string> = Promise.resolve("never started");

  private constructor(directory: string, metricsPort: number, env: Readonly<Record<string, string>>) {
    this.directory = directory;
    this.run = join(directory, "run");
    this.metricsPort = metricsPort;
    this.#env = env;
  }

  static async prepare(
    controlPlane: ScriptedControlPlane,
    token: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<AgentProcess> {
    const directory = mkdtempSync(join(tmpdir(), "hedgerow-agent-"));
    mkdirSync(join(directory, "run"));
    writeFileSync(join(directory, "token"), token);
    const metricsPort = await freePort();
    return new AgentProcess(directory, metricsPort, {
      HEDGEROW_ENROLL: controlPlane.enrollAddress,
      HEDGEROW_MESH: controlPlane.meshAddress,
      HEDGEROW_TOKEN_FILE: join(directory, "token"),
      HEDGEROW_RUN: join(directory, "run"),
      ENVOY_BIN: envoyPath(),
      HEDGEROW_ENVOY_CONCURRENCY: "1",
      HEDGEROW_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
      HEDGEROW_LOG_LEVEL: "debug",
      ...env,
    });
  }

  start([program = "", ...words]: readonly string[] = agentAlone): void {
    const log = openSync(join(this.directory, "agent.log"), "a");
    const child = spawn(program, words, { env: this.#env, detached: true, stdio: ["ignore", log, log] });
    closeSync(log);
    this.#child = child;
    this.#exit = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `status ${code}`));
    });
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** How it ended: `status N`, or the name of a signal. */
  get exited(): Promise<string> {
    return this.#exit;
  }

  /** Sends the signal and awaits the end: `status N`, or the signal's name. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<string> {
    this.#child?.kill(signal);
    return await this.#exit;
  }

  envoyPid(): number {
    return Number(readFileSync(join(this.run, "envoy.pid"), "utf8"));
  }

  log(): string {
    return readFileSync(join(this.directory, "agent.log"), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The group: an entrypoint has an agent.
    kill(-this.pid);
    await this.#exit;
    try {
      kill(this.envoyPid());
    } catch {
      // The agent stopped it.
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function kill(pid: number): void {
  try {
    if (pid !== 0) process.kill(pid, "SIGKILL");
  } catch {
    // It ended before.
  }
}

/** A port of 127.0.0.1 that nothing listened on a moment ago. */
export async function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return await promise;
}

/** Status and body of a GET on a fresh connection; status 0 when there was no answer. */
export async function fetchOnce(port: number, path = "/"): Promise<{ status: number; body: string }> {
  const { promise, resolve } = Promise.withResolvers<{ status: number; body: string }>();
  const call = get({ host: "127.0.0.1", port, path, agent: false, timeout: 2_000 }, (answer) => {
    let body = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      body += chunk;
    });
    answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
  });
  call.on("timeout", () => call.destroy(new Error("timeout")));
  call.on("error", (error) => resolve({ status: 0, body: error.message }));
  return await promise;
}

/** Awaits a 200 with this body. */
export async function untilServed(port: number, body: string): Promise<void> {
  await until(`port ${port} answers ${body}`, async () => {
    const answer = await fetchOnce(port);
    return answer.status === 200 && answer.body === body;
  });
}
