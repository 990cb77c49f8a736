import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { RecordBody } from "@hedgerow/ledger";
import { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { WitnessedLedgerSchema } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { testCsr, testKey } from "../../test/csr.ts";
import { type PeerFiles, peerFiles, testWorkload } from "../../test/peer.ts";
import type { ActRecorder } from "../audit/acts.ts";
import type { AdminRole } from "../ca/names.ts";
import { peerFromCertificate } from "../ca/peer.ts";
import { ServerIdentity } from "../ca/server-identity.ts";
import { AdminListener, AdminSocket } from "./server.ts";
import type { AdminDeps } from "./service.ts";

const authority = testAuthority("bank.example", Date.now);
const workloads = new Map([
  ["models/a", { nodeId: "models/a", serviceAccount: "digits", region: "eu" }],
  ["hedgerow-system/x", { nodeId: "hedgerow-system/x", serviceAccount: "control-plane", region: undefined }],
]);
const ledgerId = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
let recorded: RecordBody[] = [];
let isWritable = true;
const audit: ActRecorder = {
  record: async (body) => {
    if (!isWritable) throw new Error("the disk is full");
    recorded.push(body);
  },
  recordIfPossible: async (body) => void recorded.push(body),
};
const deps: AdminDeps = {
  version: "1.2.3",
  authority: () => authority,
  workload: (nodeId) => workloads.get(nodeId),
  singleUseTokens: true,
  status: () => ({ objects: [{ kind: "Service", name: "digits" }] }),
  proxies: () => ({ proxies: [{ nodeId: "models/a" }] }),
  audit: () => audit,
  ledgers: async (after, most) => {
    const all = Array.from({ length: 1_500 }, (_, index) => ledgerId(index)).filter((id) => id > after);
    const ledgers = all.slice(0, most).map((ledger) => create(WitnessedLedgerSchema, { ledger }));
    return { ledgers, more: all.length > most };
  },
  logger: pino({ enabled: false }),
};

let dir: string;
let open: AsyncDisposableStack;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-admin-"));
  recorded = [];
  isWritable = true;
  open = new AsyncDisposableStack();
  open.defer(() => rmSync(dir, { recursive: true }));
});
afterEach(() => open.disposeAsync());

const path = () => join(dir, "admin.sock");
const listen = async (changes: Partial<AdminDeps> = {}) =>
  open.use(await AdminSocket.listen({ ...deps, ...changes }, path()));

function socketClient() {
  return createClient(
    AdminService,
    createConnectTransport({
      baseUrl: "http://localhost",
      httpVersion: "1.1",
      nodeOptions: { socketPath: path(), agent: false },
    }),
  );
}

describe("the Unix socket", () => {
  test("answers everything, for its owner alone", async () => {
    await listen();
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    const client = socketClient();
    expect(await client.getVersion({})).toMatchObject({
      version: "1.2.3",
      trustDomain: "bank.example",
      rootDigests: authority.rootDigests,
    });
    expect((await client.getStatus({})).objects).toMatchObject([{ kind: "Service", name: "digits" }]);
    expect((await client.listProxies({})).proxies).toMatchObject([{ nodeId: "models/a" }]);
  });

  test.each([
    ["no Host", ""],
    ["a Host that is no part of a URL", "host: a b\r\n"],
  ])("survives a request with %s", async (_, host) => {
    await using _socket = await listen();
    const answer = await new Promise<string>((resolve, reject) => {
      const client = connect(path(), () =>
        client.write(`POST /hedgerow.admin.v1.AdminService/GetVersion HTTP/1.0\r\n${host}content-length: 0\r\n\r\n`),
      );
      client.once("data", (data) => resolve(data.toString())).once("error", reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(await socketClient().getVersion({})).toBeDefined();
  });

  test("is not taken from a living process", async () => {
    await listen();
    await expect(AdminSocket.listen(deps, path())).rejects.toMatchObject({ code: "SOCKET_IN_USE" });
    expect((await socketClient().getVersion({})).version).toBe("1.2.3");
  });

  test("of a process that was killed is replaced; of many that start at once one gets it", async () => {
    const script = `require("node:net").createServer().listen(${JSON.stringify(path())}, () => process.kill(process.pid, "SIGKILL"))`;
    await expect(promisify(execFile)(process.execPath, ["-e", script])).rejects.toMatchObject({ signal: "SIGKILL" });
    expect(statSync(path()).isSocket()).toBe(true);
    const starts = await Promise.allSettled([listen(), listen(), listen()]);
    expect(starts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await socketClient().getVersion({})).version).toBe("1.2.3");
  });

  test("does not replace what is no socket", async () => {
    writeFileSync(path(), "a file");
    await expect(listen()).rejects.toMatchObject({ code: "SOCKET_UNUSABLE" });
    expect(statSync(path()).isFile()).toBe(true);
  });

  test("is gone after a stop, and can be had again", async () => {
    const first = await AdminSocket.listen(deps, path());
    await first[Symbol.asyncDispose]();
    expect(() => statSync(path())).toThrow(/ENOENT/);
    await listen();
  });
});

describe("a join token", () => {
  test.each([
    ["single-use, an hour", { nodeId: "models/a" }, { reusable: false, ms: 3_600_000 }],
    ["reusable, a year", { nodeId: "models/a", reusable: true }, { reusable: true, ms: 8760 * 3_600_000 }],
    ["as long as asked", { nodeId: "models/a", ttl: { seconds: 90n, nanos: 0 } }, { reusable: false, ms: 90_000 }],
  ])("%s", async (_, request, expected) => {
    await listen();
    const { token, expiresAt } = await socketClient().createToken(request);
    const result = await authority.verifyToken(token);
    expect(result.ok && result.claims).toMatchObject({ sub: "models/a", region: "eu", reusable: expected.reusable });
    const leftMs = (expiresAt === undefined ? 0 : timestampMs(expiresAt)) - Date.now();
    expect(Math.abs(leftMs - expected.ms)).toBeLessThan(5_000);
  });

  test.each([
    ["an unknown Workload", { nodeId: "models/b" }, Code.NotFound],
    ["no Workload", {}, Code.NotFound],
    ["the control plane's account", { nodeId: "hedgerow-system/x" }, Code.InvalidArgument],
    ["no time", { nodeId: "models/a", ttl: { nanos: 999_000_000 } }, Code.InvalidArgument],
    ["negative time", { nodeId: "models/a", ttl: { seconds: -5n } }, Code.InvalidArgument],
    ["more than a year", { nodeId: "models/a", ttl: { seconds: 8760n * 3600n + 1n } }, Code.InvalidArgument],
  ])("for %s is refused", async (_, request, code) => {
    await listen();
    await expect(socketClient().createToken(request)).rejects.toMatchObject({ code });
  });

  test("for one use is refused among replicas, and a reusable one given", async () => {
    await listen({ singleUseTokens: false });
    await expect(socketClient().createToken({ nodeId: "models/a" })).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      rawMessage: expect.stringContaining("--reusable"),
    });
    expect((await socketClient().createToken({ nodeId: "models/a", reusable: true })).token).not.toBe("");
  });

  test("is recorded with who asked, and not handed out where it can't be", async () => {
    await listen();
    const { token } = await socketClient().createToken({ nodeId: "models/a", reusable: true });
    const result = await authority.verifyToken(token);
    const jti = result.ok ? result.claims.jti : "";
    expect(recorded).toMatchObject([
      { type: "token.created", node: "models/a", token: jti, reusable: true, by: "admin socket" },
    ]);
    expect(JSON.stringify(recorded)).not.toContain(token);
    isWritable = false;
    await expect(socketClient().createToken({ nodeId: "models/a" })).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the disk is full: no token was handed out",
    });
  });

  test("before the trust domain is known is refused", async () => {
    await listen({ authority: () => undefined });
    await expect(socketClient().createToken({ nodeId: "models/a" })).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    expect((await socketClient().getVersion({})).trustDomain).toBe("");
  });
});

describe("an admin certificate", () => {
  test("names the role and the person", async () => {
    await listen();
    const { certificateChain, trustBundle, expiresAt } = await socketClient().createAdminCertificate({
      csr: testCsr(),
      name: "ada",
      role: "auditor",
    });
    expect(peerFromCertificate("bank.example", certificateChain[0] ?? new Uint8Array(), Date.now())).toMatchObject({
      role: "auditor",
      name: "ada",
    });
    expect(trustBundle).toHaveLength(1);
    const leftMs = (expiresAt === undefined ? 0 : timestampMs(expiresAt)) - Date.now();
    expect(Math.abs(leftMs - 8 * 3_600_000)).toBeLessThan(5_000);
  });

  test("is recorded, and not handed out where it can't be", async () => {
    await listen();
    const request = { csr: testCsr(), name: "ada", role: "auditor" };
    const { certificateChain } = await socketClient().createAdminCertificate(request);
    const { serialNumber } = new X509Certificate(certificateChain[0] ?? new Uint8Array());
    expect(recorded).toMatchObject([
      { type: "certificate.issued", use: "admin", spiffe: "spiffe://bank.example/admin/auditor/ada" },
    ]);
    expect(JSON.stringify(recorded).toUpperCase()).toContain(serialNumber);
    isWritable = false;
    await expect(socketClient().createAdminCertificate(request)).rejects.toMatchObject({ code: Code.Unavailable });
  });

  test.each([
    ["role", { role: "root" }],
    ["empty role", { role: "" }],
    ["name", { name: "ada/../x" }],
    ["request", { csr: Buffer.from("x") }],
    ["ttl", { ttl: { seconds: 59n } }],
    ["long ttl", { ttl: { seconds: 720n * 3600n + 1n } }],
  ])("with a bad %s is refused", async (_, changes) => {
    await listen();
    const request = { csr: testCsr(), name: "ada", role: "viewer", ...changes };
    await expect(socketClient().createAdminCertificate(request)).rejects.toMatchObject({ code: Code.InvalidArgument });
  });
});

describe("the audit", () => {
  test("lists ledgers in pages, with the roots", async () => {
    await listen();
    const client = socketClient();
    const first = await client.listLedgers({});
    expect([first.ledgers.length, first.more, first.trustBundle.length]).toEqual([1_000, true, 1]);
    const second = await client.listLedgers({ after: first.ledgers.at(-1)?.ledger ?? "" });
    expect([second.ledgers.length, second.more]).toEqual([500, false]);
    await expect(client.listLedgers({ after: "x" })).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test("records who read it", async () => {
    await listen();
    const ledgers = Array.from({ length: 1_000 }, (_, index) => ledgerId(index));
    await socketClient().recordAuditRead({ command: "search", ledgers, query: "caller=…" });
    expect(recorded).toEqual([
      { type: "audit.read", command: "search", by: "admin socket", ledgers, query: "caller=…" },
    ]);
    isWritable = false;
    await expect(socketClient().recordAuditRead({ command: "verify" })).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the disk is full: the read was not recorded",
    });
  });

  test.each([
    ["command", { command: "burn" }],
    ["ledger", { ledgers: ["x"] }],
    ["number of ledgers", { ledgers: Array.from({ length: 1_001 }, (_, index) => ledgerId(index)) }],
    ["query", { query: "x".repeat(1_025) }],
  ])("refuses to record a read with a bad %s", async (_, changes) => {
    await listen();
    const request = { command: "verify", ...changes };
    await expect(socketClient().recordAuditRead(request)).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(recorded).toEqual([]);
  });
});

describe("over mTLS", () => {
  async function listener(skewMs = 0) {
    const identity = open.use(new ServerIdentity(authority));
    const { address } = open.use(
      await AdminListener.listen(deps, identity, {
        trustDomain: "bank.example",
        now: () => Date.now() + skewMs,
        listen: { host: "127.0.0.1", port: 0 },
      }),
    );
    return (files: PeerFiles) =>
      createClient(
        AdminService,
        createConnectTransport({
          baseUrl: `https://${address.host}:${address.port}`,
          httpVersion: "1.1",
          nodeOptions: { ...files, agent: false, checkServerIdentity: () => undefined },
        }),
      );
  }
  function person(role: AdminRole): PeerFiles {
    const key = testKey();
    const spki = key.publicKey.export({ type: "spki", format: "der" });
    return peerFiles(key, authority.issueAdmin(role, "ada", spki, 60_000).chain, authority.trustBundle);
  }

  test("the role of the certificate decides", async () => {
    const connect = await listener();
    expect((await connect(person("viewer")).getStatus({})).objects).toHaveLength(1);
    await expect(connect(person("viewer")).createToken({ nodeId: "models/a" })).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
    expect((await connect(person("operator")).createToken({ nodeId: "models/a" })).token).not.toBe("");
    await connect(person("auditor")).recordAuditRead({ command: "export" });
    const by = (role: string) => `spiffe://bank.example/admin/${role}/ada`;
    expect(recorded).toMatchObject([{ by: by("operator") }, { type: "audit.read", by: by("auditor") }]);
  });

  test("a certificate that has ended since the connection began is nobody's", async () => {
    const connect = await listener(61_000);
    await expect(connect(person("viewer")).getVersion({})).rejects.toMatchObject({ code: Code.PermissionDenied });
  });

  test("a workload's SVID may nothing, and without a certificate there is no connection", async () => {
    const connect = await listener();
    const workload = testWorkload(authority, "models/a");
    await expect(connect(workload).getVersion({})).rejects.toMatchObject({ code: Code.PermissionDenied });
    const nobody = connect({ key: "", cert: "", ca: workload.ca });
    await expect(nobody.getVersion({})).rejects.toThrow(/certificate required/);
  });
});

test("a socket path that nothing can be made at is an error, not a hang", async () => {
  await expect(AdminSocket.listen(deps, join(dir, "missing", "admin.sock"))).rejects.toThrow(/EACCES|ENOENT/);
});
