import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiServer, CommandError, startApiServer } from "../../src/index.ts";

const directory = mkdtempSync(join(tmpdir(), "hedgerow-api-server-"));
let server: ApiServer;

beforeAll(async () => {
  server = await startApiServer({ directory });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function processesOf(text: string): readonly string[] {
  return execFileSync("ps", ["-eo", "args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(text) && !line.startsWith("ps "));
}

async function makeConfigMap(name: string): Promise<void> {
  await server.kubectl(["create", "configmap", name, "--from-literal=key=value"]);
}

test("takes objects from standard input, and says what it refuses", async () => {
  const namespace = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "fraud" } });
  expect(await server.kubectl(["apply", "-f", "-"], namespace)).toContain("namespace/fraud created");
  const refused = await server.kubectl(["get", "configmap", "absent"]).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CommandError);
  expect(String(refused)).toContain('configmaps "absent" not found');
});

test("kube-apiserver comes back on its port with its objects", async () => {
  await makeConfigMap("before-stop");
  await server.apiServer.stop();
  await expect(server.answers("/readyz")).rejects.toThrow("ECONNREFUSED");
  await server.apiServer.start();
  expect(await server.kubectl(["get", "configmap", "before-stop"])).toContain("before-stop");
});

test("etcd comes back with its data after it was killed, and the API server finds it", async () => {
  await makeConfigMap("before-kill");
  await server.etcd.kill();
  await server.etcd.start();
  await server.apiServer.ready();
  expect(await server.kubectl(["get", "configmap", "before-kill"])).toContain("before-kill");
});

test("two run side by side, and a disposal leaves no process", async () => {
  const second = join(directory, "second");
  {
    await using other = await startApiServer({ directory: second });
    expect(other.port).not.toBe(server.port);
    expect(processesOf(second)).toHaveLength(3);
  }
  expect(processesOf(second)).toEqual([]);
  expect(await server.answers("/readyz")).toBe(true);
});

test("a signal gives up and leaves no process", async () => {
  const third = join(directory, "third");
  const signal = AbortSignal.timeout(1_500);
  await expect(startApiServer({ directory: third, signal })).rejects.toThrow("timeout");
  expect(processesOf(third)).toEqual([]);
});
