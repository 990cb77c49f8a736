import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runHere } from "./testing/run-here.ts";

const main = fileURLToPath(new URL("../../control-plane/src/main.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "hedgerow-cli-"));
const socket = join(directory, "state/admin.sock");

const manifests = `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: bank.example}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models}
spec: {serviceAccount: digits, address: 10.0.0.1, inbound: [{port: 8443, appPort: 8080, protocol: grpc}]}
`;

let controlPlane: ChildProcess;
let server = "";

/** Awaits that the control plane listens on every port, and tells where. */
async function listen(output: NodeJS.ReadableStream): Promise<ReadonlyMap<string, string>> {
  const addresses = new Map<string, string>();
  for await (const line of createInterface({ input: output })) {
    const { msg, port_name, address } = JSON.parse(line) as Record<string, unknown>;
    if (msg === "Listening" && typeof port_name === "string" && typeof address === "string")
      addresses.set(port_name, address);
    if (["admin", "admin-socket", "enroll", "mesh"].every((name) => addresses.has(name))) break;
  }
  output.resume();
  return addresses;
}

beforeAll(async () => {
  mkdirSync(join(directory, "manifests"));
  writeFileSync(join(directory, "manifests/mesh.yaml"), manifests);
  const any = "127.0.0.1:0";
  controlPlane = spawn(process.execPath, [main], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      HEDGEROW_MANIFESTS: join(directory, "manifests"),
      HEDGEROW_STATE: join(directory, "state"),
      HEDGEROW_ENROLL_LISTEN: any,
      HEDGEROW_MESH_LISTEN: any,
      HEDGEROW_METRICS_LISTEN: any,
      HEDGEROW_ADMIN_LISTEN: any,
    },
  });
  const { stdout } = controlPlane;
  if (stdout === null) throw new Error("the control plane has no output");
  server = (await listen(stdout)).get("admin") ?? "";
});

afterAll(async () => {
  const exit = once(controlPlane, "exit");
  controlPlane.kill();
  await exit;
  rmSync(directory, { recursive: true, force: true });
});

const local = (...args: string[]) => runHere([...args, "--socket", socket], { nowMs: Date.now() });

describe("hedgerow, against the real control plane", () => {
  it("shows its manifests, of which a workload is not in effect before its proxy connects", async () => {
    const { code, stdout } = await local("status", "-o", "json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      objects: [
        { kind: "MeshConfig", namespace: "default", name: "mesh", effective: "yes" },
        {
          kind: "Workload",
          namespace: "models",
          name: "digits-1",
          effective: "no",
          proxies: { total: 1, programmed: 0 },
        },
      ],
      problems: [],
    });
  });

  it("shows no proxies, and its version and trust", async () => {
    expect(await local("proxies")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^No proxy has connected yet/),
    });
    const { stdout } = await local("version");
    expect(stdout).toMatch(
      /^control plane +0\.1\.0\ntrust domain +bank\.example\ntrust root +SHA-256 [0-9a-f]{64}\n$/m,
    );
  });

  it("makes a token that names the workload, and none for one that it does not know", async () => {
    const { code, stdout } = await local("token", "create", "models/digits-1", "--ttl", "90s");
    expect(code).toBe(0);
    const claims: unknown = JSON.parse(Buffer.from(stdout.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({ iss: "spiffe://bank.example", sub: "models/digits-1", reusable: false });
    expect(await local("token", "create", "models/nobody")).toMatchObject({
      code: 1,
      stderr: "hedgerow: there is no Workload models/nobody\n",
    });
    expect((await local("token", "create", "models/digits-1", "--ttl", "8761h")).stderr).toMatch(/^hedgerow: ttl is /);
  });

  it("makes a certificate with which a viewer may look, over mTLS, and no more", async () => {
    const out = join(directory, "alice");
    const { code, stdout } = await local(
      "certificate",
      "create",
      "alice",
      "--role",
      "viewer",
      "--ttl",
      "10m",
      "--out",
      out,
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/cert\.pem: spiffe:\/\/bank\.example\/admin\/viewer\/alice, expires \d{4}-.*Z\n/);
    for (const file of ["cert.pem", "key.pem", "ca.pem"]) expect(statSync(join(out, file)).mode & 0o777).toBe(0o600);

    const files = ["--cert", join(out, "cert.pem"), "--key", join(out, "key.pem"), "--ca", join(out, "ca.pem")];
    const remote = (...args: string[]) => runHere([...args, "--server", server, ...files], { nowMs: Date.now() });
    expect((await remote("proxies")).code).toBe(0);
    expect(await remote("token", "create", "models/digits-1")).toEqual({
      code: 4,
      stdout: "",
      stderr: "hedgerow: refused by the control plane: your role may not call this\n",
    });
  });

  it("records in its own ledger who did what, that it was read, and verifies", async () => {
    const audit = (...args: string[]) => local("audit", ...args, "--ledger", join(directory, "state"));
    expect((await local("token", "create", "models/digits-1", "--ttl", "90s")).code).toBe(0);
    const { code, stdout, stderr } = await audit("search", "--type", "token.created", "--type", "policy.edited");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/ token\.created +\S.* join token for models\/digits-1 /);
    expect(stdout).toMatch(/ policy\.edited +uid \d+ \(file owner\) +create Workload\/models\/digits-1 /);
    expect((await audit("search", "--type", "audit.read", "-o", "json")).stdout).toContain('"command":"search"');
    expect((await audit("verify", "--all")).stdout).not.toContain("✗");
    const evidence = await local("evidence", "--ledger", join(directory, "state"));
    expect([evidence.code, evidence.stderr]).toEqual([0, ""]);
    expect(evidence.stdout).toContain("Who read these records, and who was let in");
  });
});
