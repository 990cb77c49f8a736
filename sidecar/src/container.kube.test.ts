// Needs root and util-linux: the entrypoint as in a container, process 1 of its own namespace, without capabilities, uid 1337,
// nothing to write to but one volume of root's. Under each shell that an image may have.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { envoyPath } from "../../scripts/envoy-path.js";
import { serveAll } from "../test/resources.ts";
import { ScriptedControlPlane } from "../test/scripted-control-plane.ts";
import { TestCa } from "../test/test-ca.ts";
import { until } from "../test/until.ts";
import { fetchOnce, freePort } from "../test/workload.ts";

const NODE = "shop/web-0";
const entrypoint = join(import.meta.dirname, "../entrypoint.sh");

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-container-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Arguments of unshare. */
function container(shell: string, run: string): readonly string[] {
  const prepare = `mount -t tmpfs -o mode=0777,size=64m none ${run} && mount -o remount,bind,ro / && ulimit -c 0`;
  const drop = "setpriv --reuid=1337 --regid=1337 --clear-groups --bounding-set=-all --no-new-privs";
  const namespaces = "--pid --fork --kill-child --mount --mount-proc --propagation private".split(" ");
  return [...namespaces, "sh", "-ec", `${prepare} && exec ${drop} ${shell} ${entrypoint}`];
}

/** Runs a command in the namespaces of a process. */
function inside(pid: number, ...words: readonly string[]) {
  return spawnSync("nsenter", ["-t", String(pid), "--pid", "--mount", ...words], { encoding: "utf8" });
}

/** Those of the namespace of a process, by their ids there. */
function processesWith(pid: number): { pid: number; state: string; name: string }[] {
  return inside(pid, "ps", "-eo", "pid=,stat=,comm=")
    .stdout.split("\n")
    .flatMap((line) => {
      const [id, state, name] = line.trim().split(/\s+/);
      return id && state && name ? [{ pid: Number(id), state, name }] : [];
    });
}

describe.each(["dash", "busybox sh"])("a container under %s", (shell) => {
  test("serves, survives its agent and its Envoy, leaves no zombie, and ends as asked", async () => {
    await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
    await controlPlane.start();
    const metrics = await freePort();
    serveAll(controlPlane, NODE, { app: 0, plain: 0, tls: 0 });
    controlPlane.set(WorkloadConfigSchema, {
      [NODE]: ["1", create(WorkloadConfigSchema, { listeners: ["outbound/plain"] })],
    });
    const run = join(directory, "run");
    mkdirSync(run);
    chmodSync(directory, 0o755);
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    writeFileSync(join(directory, "token"), `${encode({})}.${encode({ aud: "hedgerow-enroll" })}.c2ln`);
    const child = spawn("unshare", container(shell, run), {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: "/usr/bin:/bin:/usr/sbin:/sbin",
        HEDGEROW_ENROLL: controlPlane.enrollAddress,
        HEDGEROW_MESH: controlPlane.meshAddress,
        HEDGEROW_TOKEN_FILE: join(directory, "token"),
        HEDGEROW_NODE_ID: NODE,
        HEDGEROW_TRUST_DOMAIN: "bank.example",
        HEDGEROW_ROOT_DIGESTS: controlPlane.ca.rootDigest(),
        HEDGEROW_RUN: run,
        HEDGEROW_METRICS_LISTEN: `127.0.0.1:${metrics}`,
        ENVOY_BIN: envoyPath(),
      },
    });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (log += chunk.toString()));
    try {
      const started = async () => (await fetchOnce(metrics, "/startupz")).status === 200;
      await until("started", started);
      const first = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim());
      const agents = () => processesWith(first).filter(({ name }) => name === "node" || name === "MainThread");
      const envoys = () => processesWith(first).filter(({ name }) => name === "envoy");
      const zombies = () => processesWith(first).filter(({ state }) => state.startsWith("Z"));
      const killAll = (processes: readonly { pid: number }[]) =>
        inside(first, "kill", "-9", ...processes.map(({ pid }) => String(pid)));
      expect(agents()).toHaveLength(1);
      const { stdout } = inside(first, "grep", "RssAnon", `/proc/${agents()[0]?.pid}/status`);
      // 55 MB with Node's own TypeScript compiler: what it compiled at this first start has been kept.
      expect(Number(/\d+/.exec(stdout)?.[0]) / 1024).toBeLessThan(45);
      const before = envoys();
      expect(before).toHaveLength(1);

      killAll(agents());
      await until("adopted", () => log.includes("Adopted a running Envoy"));
      expect(envoys()).toEqual(before);
      await until("started", started);

      // Nobody's child but the shell's by now.
      killAll(envoys());
      await until("another Envoy", () =>
        envoys().some(({ pid, state }) => pid !== before[0]?.pid && !state.startsWith("Z")),
      );
      expect(zombies()).toEqual([]);
      await until("ready", async () => (await fetchOnce(metrics, "/readyz")).status === 200);

      process.kill(first, "SIGTERM");
      const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
      expect({ code, signal }).toEqual({ code: 0, signal: null });
    } catch (error) {
      throw new Error(`the container said:\n${log}`, { cause: error });
    } finally {
      child.kill("SIGKILL");
    }
  }, 60_000);
});
