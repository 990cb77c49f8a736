// The control plane as people run it, in a directory of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Metadata } from "@grpc/grpc-js";
import { grpcClient } from "@hedgerow/proto";
import { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { ReportService } from "@hedgerow/proto/hedgerow/agent/v1/report";
import { CertificateService, EnrollmentService, type Svid } from "@hedgerow/proto/hedgerow/ca/v1/ca";
import { AdsClient } from "./ads-client.ts";
import { testCsr, testKey } from "./csr.ts";
import { channelCredentials, type PeerFiles, peerFiles, presentedRoot } from "./peer.ts";

type LogLine = Readonly<Record<string, unknown>>;

/** A directory with manifests and state; removed at the end. */
export class ControlPlaneDirectory implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "hedgerow-cp-"));

  constructor(files: Readonly<Record<string, string>>) {
    mkdirSync(join(this.path, "manifests"));
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, "manifests", name), text);
  }

  get state(): string {
    return join(this.path, "state");
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

export class ControlPlaneProcess implements AsyncDisposable {
  readonly #directory: ControlPlaneDirectory;
  readonly #process: ChildProcess;
  readonly #lines: LogLine[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #exit: Promise<void>;
  /** What it wrote beside its log. */
  stderr = "";

  constructor(directory: ControlPlaneDirectory, env: Readonly<Record<string, string>> = {}) {
    this.#directory = directory;
    this.#process = spawn(process.execPath, [join(import.meta.dirname, "../src/main.ts")], {
      env: {
        HEDGEROW_MANIFESTS: join(directory.path, "manifests"),
        HEDGEROW_STATE: directory.state,
        HEDGEROW_ENROLL_LISTEN: "127.0.0.1:0",
        HEDGEROW_MESH_LISTEN: "127.0.0.1:0",
        HEDGEROW_METRICS_LISTEN: "127.0.0.1:0",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#process;
    if (stdout === null || stderr === null) throw new Error("no pipes");
    createInterface(stdout).on("line", (line) => {
      this.#lines.push(JSON.parse(line));
      this.#wake();
    });
    stderr.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#exit = once(this.#process, "close").then(() => this.#wake());
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** The first line that fits, of those there are or will be. Rejects when the process ends without one. */
  async line(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.#lines.find(fits);
      if (found !== undefined) return found;
      const { exitCode, signalCode } = this.#process;
      if (exitCode !== null || signalCode !== null)
        throw new Error(
          `ended (${exitCode ?? signalCode}):\n${JSON.stringify(this.#lines, undefined, 1)}${this.stderr}`,
        );
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async address(portName: "enroll" | "mesh" | "metrics" | "admin"): Promise<string> {
    const line = await this.line(({ msg, port_name }) => msg === "Listening" && port_name === portName);
    return String(line["address"]);
  }

  get admin(): Client<typeof AdminService> {
    const nodeOptions = { socketPath: join(this.#directory.state, "admin.sock"), agent: false as const };
    return createClient(
      AdminService,
      createConnectTransport({ baseUrl: "http://localhost", httpVersion: "1.1", nodeOptions }),
    );
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    this.#process.kill(signal);
    return await this.exited();
  }

  async exited(): Promise<number | null> {
    await this.#exit;
    return this.#process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }
}

/** What an agent does, step by step. */
export class TestAgent implements Disposable {
  readonly nodeId: string;
  readonly files: PeerFiles;
  readonly svid: Svid;
  readonly #open: (() => void)[] = [];

  private constructor(nodeId: string, files: PeerFiles, svid: Svid) {
    this.nodeId = nodeId;
    this.files = files;
    this.svid = svid;
  }

  /** With a new token, unless one is given. */
  static async enroll(controlPlane: ControlPlaneProcess, nodeId: string, given?: string): Promise<TestAgent> {
    const address = await controlPlane.address("enroll");
    const token = given ?? (await controlPlane.admin.createToken({ nodeId })).token;
    const key = testKey();
    // An agent knows the root by the digest in its token; what it does with it is the agent's to test.
    const ca = await presentedRoot(address);
    const client = grpcClient(EnrollmentService, address, channelCredentials(ca));
    try {
      const svid = await new Promise<Svid>((resolve, reject) =>
        client.enroll({ token, csr: testCsr(key) }, new Metadata(), {}, (error, response) =>
          response?.svid === undefined ? reject(error ?? new Error("no SVID")) : resolve(response.svid),
        ),
      );
      return new TestAgent(nodeId, peerFiles(key, svid.certificateChain, svid.trustBundle), svid);
    } finally {
      client.close();
    }
  }

  async ads(controlPlane: ControlPlaneProcess, nodeId: string = this.nodeId): Promise<AdsClient> {
    const credentials = channelCredentials(this.files.ca, this.files);
    const client = new AdsClient(await controlPlane.address("mesh"), this.nodeId, nodeId, credentials);
    this.#open.push(() => client.close());
    return client;
  }

  async renew(controlPlane: ControlPlaneProcess): Promise<Svid | undefined> {
    const client = grpcClient(
      CertificateService,
      await controlPlane.address("mesh"),
      channelCredentials(this.files.ca, this.files),
    );
    try {
      return await new Promise((resolve, reject) =>
        client.renew({ csr: testCsr() }, new Metadata(), {}, (error, response) =>
          error ? reject(error) : resolve(response?.svid),
        ),
      );
    } finally {
      client.close();
    }
  }

  async report(
    controlPlane: ControlPlaneProcess,
  ): Promise<{ write(message: { ready: boolean; reason?: string }): void }> {
    const credentials = channelCredentials(this.files.ca, this.files);
    const client = grpcClient(ReportService, await controlPlane.address("mesh"), credentials);
    const call = client.report(new Metadata(), {}, () => client.close());
    this.#open.push(() => call.cancel());
    return { write: (message) => void call.write({ agentVersion: "test", ...message }) };
  }

  [Symbol.dispose](): void {
    for (const close of this.#open) close();
  }
}
