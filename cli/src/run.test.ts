import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { describe, expect, it } from "vitest";
import { runHere } from "./testing/run-here.ts";
import { scriptedAdmin } from "./testing/scripted-admin.ts";

const expiresAt = timestampFromMs(Date.parse("2026-11-24T11:00:00Z"));
const position = { file: "access.yaml", line: 14, column: 9 };
const accepted = { type: "Accepted", status: "True", reason: "Accepted" };
const digits = { kind: "AccessPolicy", namespace: "models", name: "digits", position, conditions: [accepted] };
const inEffect = { ...digits, proxiesTotal: 2, proxiesProgrammed: 2, observedGeneration: 7n };

type Answers = Partial<ServiceImpl<typeof AdminService>>;
type Received = Record<string, unknown>[];

async function ask(args: string[], answers: Answers, columns?: number) {
  await using admin = await scriptedAdmin(answers);
  const ended = await runHere([...args, "--socket", admin.socket], columns === undefined ? {} : { columns });
  const nameless = (text: string) => text.replaceAll(admin.directory, "DIR");
  return { code: ended.code, stdout: nameless(ended.stdout), stderr: nameless(ended.stderr) };
}

const dangling = `apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec:
  targetRefs: [{kind: Service, name: digits}]
  allow: []
`;
const workload = `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models}
spec: {serviceAccount: digits, address: 10.0.0.1, inbound: [{port: 8443, appPort: 8080, protocol: grpc}]}
`;

describe("hedgerow validate", () => {
  it("prints warnings, which are good enough", async () => {
    const { code, stdout, stderr } = await runHere(["validate", "-"], { stdin: dangling });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^<stdin>:5:\d+: warning: .*\n<stdin>:6:3: note: spec\.allow is empty: .*\n✓ 1 valid object in 1 file, no problems, 1 warning, 1 note\n$/,
    );
  });

  it("counts warnings as problems where all must resolve", async () => {
    const { code, stdout } = await runHere(["validate", "--strict", "-"], { stdin: dangling });
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/\n! 1 valid object in 1 file, no problems, 1 warning, 1 note\n$/),
    ]);
  });

  it("prints problems for people, and a stable shape for machines", async () => {
    const stdin = dangling.replace("allow", "alow");
    const message = "unknown field spec.alow; did you mean allow?";
    expect(await runHere(["validate", "-"], { stdin })).toEqual({
      code: 1,
      stdout: `<stdin>:6:3: ${message}\n! 0 valid objects in 1 file, 1 problem\n`,
      stderr: "",
    });
    const { code, stdout } = await runHere(["validate", "-", "-o", "json"], { stdin });
    const problem = {
      position: { file: "<stdin>", line: 6, column: 3 },
      field: "spec.alow",
      code: "unknown_field",
      message,
    };
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      { good: false, files: 1, objects: 0, problems: [problem], warnings: [], notes: [], notRead: {} },
    ]);
  });
});

describe("hedgerow validate, of what is applied to a cluster", () => {
  const stdin = `apiVersion: apps/v1
kind: Deployment
metadata: {name: digits}
---
apiVersion: v1
kind: Namespace
metadata: {name: models}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: models}
spec: {type: ExternalName, externalName: db.bank.ae}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: door}
spec: {parentRefs: [{name: gateway}], rules: [{filters: []}]}
---
${workload}`;

  it("passes over what is none of the mesh's business, and says what that was", async () => {
    expect(await runHere(["validate", "--kubernetes", "-"], { stdin })).toEqual({
      code: 0,
      stdout:
        "✓ 1 valid object in 1 file, no problems, not read: Deployment, Namespace, Service, HTTPRoute of Gateways\n",
      stderr: "",
    });
    const { stdout } = await runHere(["validate", "--kubernetes", "-", "-o", "json"], { stdin });
    expect(JSON.parse(stdout)).toMatchObject({ good: true, notRead: { Deployment: 1, "HTTPRoute of Gateways": 1 } });
  });

  it("passes over no slip", async () => {
    for (const slip of [
      "apiVersion: v1\nkind: Servce\n",
      "apiVersion: hedgerow.dev/v1alpha1\nkind: TrafficPolicy\n",
      "kind: Deployment\n",
      "apiVersion: v1\nkind: List\nitems: []\n",
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec: {parentRefs: [{kind: Sevice, name: a}], rules: [{backendRefs: [{name: a}]}]}\n",
      workload.replace("address", "adress"),
    ])
      expect(await runHere(["validate", "--kubernetes", "-"], { stdin: slip })).toMatchObject({ code: 1 });
  });

  it("is suggested where a directory's kinds are not known", async () => {
    const { code, stderr } = await runHere(["validate", "-"], { stdin });
    expect([code, stderr]).toEqual([
      1,
      "hedgerow: with --kubernetes, kinds that the mesh does not read are passed over\n",
    ]);
  });
});

describe("hedgerow check", () => {
  it("says that it needs kubectl where there is none", async () => {
    expect(await runHere(["check"], { env: { PATH: "/nowhere" } })).toEqual({
      code: 2,
      stdout: "",
      stderr: "hedgerow: there is no kubectl on the PATH: this command reaches the cluster by it\n",
    });
  });
});

describe("hedgerow translate", () => {
  const translate = (...args: string[]) => runHere(["translate", "-f", "-", "--proxy", ...args], { stdin: workload });

  it("prints every type as YAML, and says what it assumed", async () => {
    const { code, stdout, stderr } = await translate("models/digits-1");
    expect(code).toBe(0);
    expect(stdout.match(/^[a-z-]+(?=:)/gm)).toEqual([
      "listeners",
      "routes",
      "clusters",
      "endpoints",
      "workload-configs",
      "inspection-configs",
    ]);
    expect(stderr).toBe(
      "hedgerow: warning: no MeshConfig in these files: trust-domain.example stands in for the trust domain\n",
    );
  });

  it("prints one type, as the same JSON", async () => {
    const { stdout } = await translate("models/digits-1", "--type", "workload-configs", "-o", "json");
    const inbound = [{ port: 8443, app_port: 8080, listener: "inbound/8443" }];
    expect(JSON.parse(stdout)).toEqual({ "workload-configs": [expect.objectContaining({ inbound })] });
  });

  it("says which workloads there are when the one asked for is not", async () => {
    const { code, stdout, stderr } = await translate("models/digits");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("\nhedgerow: no Workload models/digits in these files: there is models/digits-1\n");
  });

  it("translates nothing while there are problems", async () => {
    const ended = await runHere(["translate", "--proxy", "a/b", "-f", "-"], { stdin: "kind: X\n" });
    expect(ended).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^<stdin>:1:7: unknown kind "X"/),
    });
  });
});

describe("hedgerow status", () => {
  it("ends with 0 and prints no colour into a pipe when all is in effect", async () => {
    expect(await ask(["status"], { getStatus: () => ({ objects: [inEffect] }) })).toEqual({
      code: 0,
      stdout:
        "POLICY                      EFFECTIVE  PROXIES  WHY\n" +
        "AccessPolicy/models/digits  yes        2/2\n\n✓ 1 object, all in effect\n",
      stderr: "",
    });
  });

  it("ends with 1 when a proxy lags or the source has problems", async () => {
    const lagging = { ...digits, proxiesTotal: 2, proxiesProgrammed: 1 };
    expect((await ask(["status"], { getStatus: () => ({ objects: [lagging] }) })).code).toBe(1);
    const problems = [{ position, message: "unknown field" }];
    expect((await ask(["status"], { getStatus: () => ({ objects: [inEffect], problems }) })).code).toBe(1);
  });

  it("is coloured on a terminal, unless told otherwise", async () => {
    const answers = { getStatus: () => ({ objects: [inEffect] }) };
    expect((await ask(["status"], answers, 80)).stdout).toContain("\u001b[32myes\u001b[39m");
    expect((await ask(["--no-color", "status"], answers, 80)).stdout).not.toContain("\u001b");
  });

  it("prints a stable shape as json", async () => {
    const { stdout } = await ask(["status", "-o", "json"], { getStatus: () => ({ objects: [inEffect] }) });
    expect(JSON.parse(stdout)).toEqual({
      objects: [
        {
          kind: "AccessPolicy",
          namespace: "models",
          name: "digits",
          position,
          generation: 7,
          effective: "yes",
          conditions: [{ ...accepted, message: "", lastTransitionTime: null }],
          proxies: { total: 2, programmed: 2 },
          laggards: [],
        },
      ],
      problems: [],
    });
  });

  it("prints the same as yaml, in which yes is a string to readers of YAML 1.1 too", async () => {
    const empty = await ask(["-o", "yaml", "status"], { getStatus: () => ({}) });
    expect(empty.stdout).toBe("objects: []\nproblems: []\n");
    const { stdout } = await ask(["-o", "yaml", "status"], { getStatus: () => ({ objects: [inEffect] }) });
    expect(stdout).toContain('    effective: "yes"\n');
  });
});

describe("hedgerow proxies", () => {
  const proxy = { nodeId: "models/digits-1", connected: true, ready: true, connectedAt: timestampFromMs(0) };

  it("ends with 0 when all are ready and current, and with 1 when one is not", async () => {
    expect((await ask(["proxies"], { listProxies: () => ({ proxies: [proxy] }) })).code).toBe(0);
    expect((await ask(["proxies"], { listProxies: () => ({ proxies: [{ ...proxy, ready: false }] }) })).code).toBe(1);
  });

  it("prints a stable shape as json", async () => {
    const types = [{ typeUrl: "t", resources: 3, current: false, error: "no", acknowledgedAt: timestampFromMs(0) }];
    const { stdout } = await ask(["proxies", "-o", "json"], {
      listProxies: () => ({ proxies: [{ ...proxy, types }] }),
    });
    const time = "1970-01-01T00:00:00.000Z";
    expect(JSON.parse(stdout)).toEqual({
      proxies: [
        {
          nodeId: "models/digits-1",
          spiffeId: "",
          connected: true,
          connectedAt: time,
          ready: true,
          readyReason: "",
          envoyVersion: "",
          agentVersion: "",
          types: [{ typeUrl: "t", state: "rejected", resources: 3, acknowledgedAt: time, error: "no" }],
        },
      ],
    });
  });
});

describe("hedgerow token create", () => {
  it("prints the token alone, so that it can be piped", async () => {
    const received: Received = [];
    const createToken: Answers["createToken"] = ({ nodeId, ttl, reusable }) => {
      received.push({ nodeId, seconds: ttl?.seconds, reusable });
      return { token: "a.b.c", expiresAt };
    };
    const args = ["token", "create", "models/digits-1", "--reusable", "--ttl", "1h30m"];
    expect(await ask(args, { createToken })).toEqual({ code: 0, stdout: "a.b.c\n", stderr: "" });
    expect(received).toEqual([{ nodeId: "models/digits-1", seconds: 5400n, reusable: true }]);
  });

  it("writes a file that only its owner may read, in place of one that others might", async () => {
    await using admin = await scriptedAdmin({ createToken: () => ({ token: "a.b.c", expiresAt }) });
    const out = join(admin.directory, "token");
    writeFileSync(out, "old");
    chmodSync(out, 0o644);
    const { stdout } = await runHere(["token", "create", "models/digits-1", "--out", out, "--socket", admin.socket]);
    expect(stdout).toBe(`${out}: for models/digits-1, single use, expires 2026-11-24T11:00:00.000Z\n`);
    expect(readFileSync(out, "utf8")).toBe("a.b.c\n");
    expect(statSync(out).mode & 0o777).toBe(0o600);
  });

  it.each([
    [
      ["token", "create", "digits-1"],
      2,
      "hedgerow: digits-1 is no NAMESPACE/NAME of a Workload, as in models/digits-1\n",
    ],
    [["token", "create", "a/b", "--ttl", "7d"], 2, "hedgerow: --ttl 7d is no duration, as in 90s, 15m or 1h30m\n"],
    [
      ["token", "create", "a/b", "--out", "/absent/token"],
      2,
      /^hedgerow: could not write \/absent\/token: no such file or directory\n$/,
    ],
  ])("refuses %j", async (args, code, stderr) => {
    const ended = await ask(args, { createToken: () => ({ token: "a.b.c", expiresAt }) });
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(stderr);
    expect(ended.stdout).toBe("");
  });
});

describe("hedgerow certificate create", () => {
  it("writes nothing when the control plane does not answer with the key's certificate", async () => {
    await using admin = await scriptedAdmin({
      createAdminCertificate: () => ({ certificateChain: [], trustBundle: [] }),
    });
    const out = join(admin.directory, "alice");
    const args = ["certificate", "create", "alice", "--role", "viewer", "--out", out, "--socket", admin.socket];
    expect(await runHere(args)).toEqual({
      code: 1,
      stdout: "",
      stderr: "hedgerow: the control plane answered without a certificate for the new key: see its log\n",
    });
    expect(existsSync(out)).toBe(false);
  });
});

describe("hedgerow version", () => {
  it("shows both sides", async () => {
    const answers = { getVersion: () => ({ version: "0.1.0", trustDomain: "bank.example", rootDigests: ["ab12"] }) };
    expect((await ask(["version"], answers)).stdout).toBe(
      "hedgerow       0.1.0\ncontrol plane  0.1.0\ntrust domain   bank.example\ntrust root     SHA-256 ab12\n",
    );
  });

  it("shows its own side where there is no control plane", async () => {
    const { code, stdout } = await runHere(["version", "-o", "json", "--socket", "/absent/admin.sock"]);
    expect([code, JSON.parse(stdout)]).toEqual([3, { version: "0.1.0", controlPlane: null }]);
  });
});

describe("hedgerow, when the control plane cannot be asked", () => {
  it.each([
    [Code.PermissionDenied, 4, "refused by the control plane: it says so"],
    [Code.Unauthenticated, 4, "refused by the control plane: it says so"],
    [Code.Unavailable, 3, "the control plane at DIR/admin.sock is not available: it says so"],
    [Code.NotFound, 1, "it says so"],
    [Code.InvalidArgument, 1, "it says so"],
    [Code.Unimplemented, 1, "DIR/admin.sock does not know this call: does it run another version of Hedgerow?"],
  ])("says in one line what an answer with code %i means", async (code, exitCode, message) => {
    const getStatus = () => {
      throw new ConnectError("it\nsays so", code);
    };
    expect(await ask(["status"], { getStatus })).toEqual({
      code: exitCode,
      stdout: "",
      stderr: `hedgerow: ${message}\n`,
    });
  });

  it("says what to do where there is no socket", async () => {
    const env = { HEDGEROW_ADMIN_SOCKET: "/absent/admin.sock" };
    expect(await runHere(["status"], { env })).toEqual({
      code: 3,
      stdout: "",
      stderr:
        "hedgerow: no control plane at /absent/admin.sock: is it running? name another with --socket PATH or HEDGEROW_ADMIN_SOCKET\n",
    });
  });

  it("says that nobody answers at what a crash left behind", async () => {
    await using admin = await scriptedAdmin({});
    const left = join(admin.directory, "left.sock");
    writeFileSync(left, "");
    const { code, stderr } = await runHere(["status", "--socket", left]);
    expect([code, stderr]).toEqual([
      3,
      `hedgerow: nobody answers at ${left}: the control plane has stopped, start it again\n`,
    ]);
  });

  it("says when something else answers", async () => {
    await using admin = await scriptedAdmin({});
    const other = join(admin.directory, "other.sock");
    const server = createServer((socket) => socket.end("no HTTP\n"));
    await new Promise<void>((resolve) => server.listen(other, resolve));
    const { code, stderr } = await runHere(["status", "--socket", other]);
    server.close();
    expect([code, stderr]).toEqual([
      3,
      `hedgerow: the control plane at ${other} broke off (HPE_INVALID_CONSTANT): see its log\n`,
    ]);
  });
});

describe("hedgerow, when the command line is wrong", () => {
  it.each([
    [["stauts"], /^hedgerow: unknown command 'stauts' \(did you mean status\?\)\n$/],
    [["status", "--sokcet", "x"], /^hedgerow: unknown option '--sokcet' \(did you mean --socket\?\)\n$/],
    [["status", "-o", "xml"], /^hedgerow: option '-o, --output <format>' argument 'xml' is invalid/],
    [["status", "extra"], /^hedgerow: too many arguments for 'status'/],
    [["token", "create"], /^hedgerow: missing required argument 'namespace\/name'\n$/],
    [["certificate", "create", "alice", "--out", "x"], /^hedgerow: required option '--role <role>' not specified\n$/],
    [["certificate", "create", "alice", "--role", "root", "--out", "x"], /viewer, operator, auditor/],
    [["status", "--server", "cp.example:1"], /^hedgerow: --server needs --cert, --key and --ca/],
    [["translate", "-f", "x", "--proxy", "a/b", "-o", "table"], /^hedgerow: translate has no table/],
    [["validate", "/absent.yaml"], /^hedgerow: could not read \/absent\.yaml: no such file or directory\n$/],
    [[], /^Usage: hedgerow/],
  ])("says so of %j and ends with 2", async (args, stderr) => {
    const ended = await runHere(args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(stderr);
    expect(ended.stdout).toBe("");
  });
});

describe("hedgerow --help", () => {
  it.each([
    [[]],
    [["validate"]],
    [["translate"]],
    [["status"]],
    [["proxies"]],
    [["version"]],
    [["token"]],
    [["token", "create"]],
    [["certificate"]],
    [["certificate", "create"]],
  ])("of %j teaches by example, in lines that fit", async (command) => {
    const { code, stdout, stderr } = await runHere([...command, "--help"], { columns: 120 });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("\u001b[1mExamples:");
    expect(stdout).toContain(`$ hedgerow ${command.join(" ")}`.trimEnd());
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
  });
});
