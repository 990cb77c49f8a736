import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate, type Pem } from "../testing/certificates.ts";
import { runHere } from "../testing/run-here.ts";

const controlPlane = "URI:spiffe://bank.example/ns/hedgerow-system/sa/control-plane";
const directory = mkdtempSync(join(tmpdir(), "hedgerow-cli-"));
const servers: Server[] = [];

async function serve({ cert, key }: Pem, ca: Pem): Promise<string> {
  const routes = connectNodeAdapter({
    routes: (router) => router.service(AdminService, { getStatus: () => ({}) }),
  });
  const tls = { cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca.cert), requestCert: true };
  const server = createServer(tls, routes);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? `127.0.0.1:${address.port}` : "";
}

let root: Pem;
let alice: Pem;
let address = "";
beforeAll(async () => {
  root = makeCertificate(directory, "root", "URI:spiffe://bank.example");
  alice = makeCertificate(directory, "alice", "URI:spiffe://bank.example/admin/viewer/alice", root);
  address = await serve(makeCertificate(directory, "server", `${controlPlane},DNS:a.example`, root), root);
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

const status = (server: string, own: Pem, ca: string, nowMs = Date.now()) =>
  runHere(["status", "--server", server, "--cert", own.cert, "--key", own.key, "--ca", ca], { nowMs });

describe("--server", () => {
  it("reaches the control plane by its SPIFFE id, whatever its address", async () => {
    expect((await status(address, alice, root.cert)).code).toBe(0);
  });

  it("takes the trust domain from the own certificate where the root names none", async () => {
    const bare = makeCertificate(directory, "bare", "DNS:root.example");
    const server = await serve(makeCertificate(directory, "bare-server", controlPlane, bare), bare);
    const own = makeCertificate(directory, "bare-alice", "URI:spiffe://bank.example/admin/viewer/alice", bare);
    expect((await status(server, own, bare.cert)).code).toBe(0);
    const nobody = makeCertificate(directory, "nobody", "DNS:alice.example", bare);
    const refused = await status(server, nobody, bare.cert);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      `hedgerow: neither ${bare.cert} nor ${nobody.cert} names a SPIFFE trust domain\n`,
    ]);
  });

  it.each([
    ["a workload of the mesh", "URI:spiffe://bank.example/ns/models/sa/digits"],
    ["a control plane of another trust domain", "URI:spiffe://other.example/ns/hedgerow-system/sa/control-plane"],
    ["a server with a second name", `${controlPlane},URI:spiffe://bank.example/ns/models/sa/digits`],
    ["a server without a SPIFFE id", "IP:127.0.0.1"],
  ])("refuses %s", async (_case, san) => {
    const server = await serve(makeCertificate(directory, "stranger", san, root), root);
    const { code, stderr } = await status(server, alice, root.cert);
    expect(code).toBe(4);
    expect(stderr).toContain(`hedgerow: ${server} is not this mesh's control plane: it is `);
    expect(stderr).toContain(", not spiffe://bank.example/ns/hedgerow-system/sa/control-plane\n");
  });

  it("refuses a server of another root", async () => {
    const other = makeCertificate(directory, "other-root", "URI:spiffe://bank.example");
    const { code, stderr } = await status(address, alice, other.cert);
    expect(code).toBe(4);
    expect(stderr).toMatch(/did not prove to be this mesh's control plane \(.*\): check the address and --ca\n$/);
  });

  it("says that the server did not accept the own certificate", async () => {
    const other = makeCertificate(directory, "own-root", "URI:spiffe://bank.example");
    const own = makeCertificate(directory, "own", "URI:spiffe://bank.example/admin/operator/mallory", other);
    const { code, stderr } = await status(address, own, root.cert);
    expect([code, stderr]).toEqual([
      4,
      `hedgerow: ${address} closed the connection: is it the admin port, and does it trust ${own.cert}?\n`,
    ]);
  });

  it("says that the own certificate has expired, without a call", async () => {
    const { code, stderr } = await status("127.0.0.1:1", alice, root.cert, Date.parse("2199-01-01T00:00:00Z"));
    expect(code).toBe(4);
    expect(stderr).toMatch(/alice\.pem expired at 20.*Z: make a new one with `hedgerow certificate create`\n$/);
  });

  it("says that nobody listens there", async () => {
    const { code, stderr } = await status("127.0.0.1:1", alice, root.cert);
    expect([code, stderr]).toEqual([
      3,
      "hedgerow: no control plane at 127.0.0.1:1 (ECONNREFUSED): is it running with HEDGEROW_ADMIN_LISTEN?\n",
    ]);
  });

  it("says which file is missing, or no certificate", async () => {
    const text = join(directory, "notes.txt");
    writeFileSync(text, "hello");
    expect(await status(address, alice, join(directory, "absent.pem"))).toMatchObject({ code: 2 });
    expect((await status(address, alice, text)).stderr).toBe(`hedgerow: --ca ${text} holds no PEM certificate\n`);
    const mixed = await status(address, { ...alice, key: root.key }, root.cert);
    expect([mixed.code, mixed.stderr]).toEqual([2, `hedgerow: ${root.key} is not the key of ${alice.cert}\n`]);
  });
});
