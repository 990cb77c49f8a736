// Pods without Kubernetes: network namespaces on one bridge. Needs root, iproute2 and iptables.
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const capture = join(import.meta.dirname, "../../sidecar/src/capture/main.ts");
const server = fileURLToPath(new URL("./pod/serve.mjs", import.meta.url));
const client = fileURLToPath(new URL("./pod/call.mjs", import.meta.url));

function ip(...words: readonly string[]): void {
  execFileSync("ip", words);
}

/** A bridge; pods are plugged into it, and reach each other and nobody else. */
export class TestNetwork implements AsyncDisposable {
  readonly #hub: string;
  readonly #pods: TestPod[] = [];

  /** `name` tells networks of one process apart; at most 5 characters. */
  constructor(name: string) {
    this.#hub = `hedgerow-${name}-${process.pid}`;
    ip("netns", "add", this.#hub);
    ip("-n", this.#hub, "link", "add", "br0", "type", "bridge");
    ip("-n", this.#hub, "address", "add", "10.77.0.1/16", "dev", "br0");
    ip("-n", this.#hub, "link", "set", "br0", "up");
  }

  pod(name: string, address: string): TestPod {
    const namespace = `${this.#hub}-${name}`;
    ip("netns", "add", namespace);
    const port = `v${this.#pods.length}`;
    ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", port, "netns", this.#hub);
    ip("-n", this.#hub, "link", "set", port, "master", "br0", "up");
    ip("-n", namespace, "address", "add", `${address}/16`, "dev", "eth0");
    ip("-n", namespace, "link", "set", "lo", "up");
    ip("-n", namespace, "link", "set", "eth0", "up");
    // Cluster IPs need a way out, if only to be captured on it.
    ip("-n", namespace, "route", "add", "default", "via", "10.77.0.1");
    const pod = new TestPod(namespace);
    this.#pods.push(pod);
    return pod;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pod of this.#pods) await pod[Symbol.asyncDispose]();
    spawnSync("ip", ["netns", "delete", this.#hub]);
  }
}

export interface HttpAnswer {
  /** Undefined: no answer. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly error?: string;
}

export interface TcpAnswer {
  readonly received: string;
  /** The connection ended without having been asked to. */
  readonly closed: boolean;
}

export class TestPod implements AsyncDisposable {
  readonly #namespace: string;
  readonly #servers: ChildProcess[] = [];

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Runs what follows in the pod, as its proxy. */
  get asProxy(): readonly string[] {
    return ["ip", "netns", "exec", this.#namespace, "setpriv", "--reuid=1337", "--regid=1337", "--clear-groups"];
  }

  /** Leads its connections to its proxy, as the init container does. */
  capture(): void {
    const { status, stderr } = spawnSync("ip", ["netns", "exec", this.#namespace, process.execPath, capture], {
      env: { ...process.env, HEDGEROW_CAPTURE: "{}" },
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`capture failed: ${stderr}`);
  }

  /** Starts applications; see pod/serve.mjs. */
  async serve(
    ports: Readonly<Record<number, "http" | "h2c" | "echo" | "greeter" | "tls">>,
    name: string,
  ): Promise<void> {
    const words = [process.execPath, server, name, JSON.stringify(ports)];
    const served = spawn("ip", ["netns", "exec", this.#namespace, ...words], { stdio: ["ignore", "pipe", "inherit"] });
    this.#servers.push(served);
    await once(served.stdout, "data");
  }

  async http(url: string, options: { readonly http2?: boolean; readonly times?: number } = {}): Promise<HttpAnswer[]> {
    return JSON.parse(await this.#call("http", url, options));
  }

  /** Sends `send`, and reads until `length` characters came, the connection ends, or 8 s are over. */
  async tcp(
    address: string,
    options: { readonly send?: string; readonly length?: number; readonly serverName?: string } = {},
  ): Promise<TcpAnswer> {
    return JSON.parse(await this.#call("tcp", address, options));
  }

  async #call(kind: string, target: string, options: object): Promise<string> {
    const words = [process.execPath, client, kind, target, JSON.stringify(options)];
    const { stdout } = await run("ip", ["netns", "exec", this.#namespace, ...words]);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const served of this.#servers) {
      served.kill("SIGKILL");
      if (served.exitCode === null && served.signalCode === null) await once(served, "exit");
    }
    spawnSync("ip", ["netns", "delete", this.#namespace]);
  }
}
