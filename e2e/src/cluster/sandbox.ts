import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { until } from "../mesh/until.ts";
import { type Addresses, addressesOf, nodes } from "./addresses.ts";
import { cgroupFolders, makeCgroup, removeCgroup } from "./cgroups.ts";
import { tryLock } from "./lock.ts";
import { recipes } from "./places.ts";
import { childrenOf, isAlive } from "./processes.ts";
import { builtProgram } from "./programs.ts";
import { run } from "./run.ts";

const locks = "/run/hedgerow-test-nodes";

export interface SandboxOptions {
  readonly directory: string;
  readonly hostname: string;
  readonly index?: number | undefined;
}

/**
 * Namespaces of a node's own, joined to this machine by a pair of virtual interfaces, and a cgroup of its own. All in it
 * ends with its first process, that one with us, and the kernel then removes mounts and interfaces; what only a program
 * can remove, cgroups, the next start does where we could not.
 */
export class Sandbox implements AsyncDisposable {
  readonly addresses: Addresses;
  readonly directory: string;
  /** Put before a command, it runs it in the sandbox. */
  readonly enter: readonly string[];
  readonly #outer: ChildProcess;
  readonly #first: number;

  private constructor(addresses: Addresses, directory: string, outer: ChildProcess, first: number) {
    this.addresses = addresses;
    this.directory = directory;
    this.#outer = outer;
    this.#first = first;
    this.enter = ["nsenter", `--target=${first}`, "--mount", "--pid", "--net", "--uts", "--ipc", "--wd=/", "--"];
  }

  static async start({ directory, hostname, index }: SandboxOptions): Promise<Sandbox> {
    for (const name of ["kubelet", "pods", "cni", "sysctl", "log"])
      mkdirSync(join(directory, name), { recursive: true });
    const started = join(directory, "started");
    rmSync(started, { force: true });
    const { addresses, held } = await takeIndex(index);
    await removeCgroup(addresses.cgroup);
    const logFile = join(directory, "log/node.log");
    const log = openSync(logFile, "a");
    const namespaces = ["--mount", "--pid", "--net", "--uts", "--ipc", "--mount-proc", "--propagation=private"];
    const first = [join(recipes, "node.sh"), directory, hostname, builtProgram("pause")];
    const unshare = ["unshare", "--fork", "--kill-child", ...namespaces, ...first];
    const outer = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...unshare], {
      env: { PATH: process.env["PATH"] },
      detached: true,
      // The last is the lock on the number, held for as long as there is a process of the node.
      stdio: ["ignore", log, log, held],
    });
    closeSync(log);
    closeSync(held);
    let failure: Error | undefined;
    outer.once("error", (error) => {
      failure = error;
    });
    const isRunning = () => outer.exitCode === null && outer.signalCode === null && failure === undefined;
    try {
      await until("the node's namespaces", 10_000, () => existsSync(started) || !isRunning());
      const [pid] = outer.pid === undefined ? [] : childrenOf(outer.pid);
      if (pid === undefined || !existsSync(started))
        throw new Error(`could not make the node's namespaces:\n${readFileSync(logFile, "utf8").slice(-2_000)}`);
      const sandbox = new Sandbox(addresses, directory, outer, pid);
      await sandbox.#connect();
      makeCgroup(addresses.cgroup);
      return sandbox;
    } catch (error) {
      outer.kill("SIGKILL");
      throw new Error("could not start a sandbox", { cause: failure ?? error });
    }
  }

  /** Runs a command in it to its end. */
  run(command: string, args: readonly string[]): Promise<string> {
    const [enter = "", ...rest] = this.enter;
    return run(enter, [...rest, command, ...args]);
  }

  async #connect(): Promise<void> {
    const { interface: name, host, node, pods } = this.addresses;
    const ip = (...args: readonly string[]) => run("ip", args);
    await ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", String(this.#first));
    await ip("address", "add", `${host}/24`, "dev", name);
    await ip("link", "set", name, "up");
    await ip("route", "add", pods, "via", node, "dev", name);
    await this.run("ip", ["address", "add", `${node}/24`, "dev", "eth0"]);
    await this.run("ip", ["link", "set", "eth0", "up"]);
    await this.run("ip", ["route", "add", "default", "via", host]);
  }

  /** Ends everything in it; resolves when processes, interface and cgroup are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#outer.kill("SIGKILL");
    await until("the node's processes end", 20_000, () => !isAlive(this.#first));
    await removeCgroup(this.addresses.cgroup);
    const leftover = join("/sys/class/net", this.addresses.interface);
    await until("the node's interface goes", 10_000, () => !existsSync(leftover));
  }
}

/** The first free number, or the one asked for, and the lock on it. */
async function takeIndex(
  wanted: number | undefined,
): Promise<{ readonly addresses: Addresses; readonly held: number }> {
  mkdirSync(locks, { recursive: true });
  await removeOrphans();
  const routes = await run("ip", ["-4", "route", "show"]);
  for (const index of wanted === undefined ? Array.from({ length: nodes }, (_, at) => at) : [wanted]) {
    const addresses = addressesOf(index);
    // Somebody else's network may have these addresses.
    if (routes.includes(`${addresses.host.slice(0, -1)}0/24`) || routes.includes(addresses.pods)) continue;
    const held = tryLock(join(locks, String(index)));
    if (held !== undefined) return { addresses, held };
  }
  throw new Error(wanted === undefined ? `all ${nodes} numbers of test nodes are taken` : `node ${wanted} is taken`);
}

/** Of a node whose owner was killed only its cgroup is left. */
async function removeOrphans(): Promise<void> {
  for (let index = 0; index < nodes; index++) {
    const { cgroup } = addressesOf(index);
    if (cgroupFolders(cgroup).length === 0) continue;
    const held = tryLock(join(locks, String(index)));
    if (held === undefined) continue;
    try {
      await removeCgroup(cgroup);
    } finally {
      closeSync(held);
    }
  }
}
