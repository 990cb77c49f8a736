import { once } from "node:events";
import { grpcService } from "@hedgerow/proto";
import { Health } from "@hedgerow/proto/grpc/health/v1/health";
import { expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { testServer, testWorkload, tlsConnect } from "../../test/peer.ts";
import { controlPlaneId } from "./names.ts";
import { ServerIdentity } from "./server-identity.ts";

let skewMs = 0;
const authority = testAuthority("bank.example", () => Date.now() + skewMs);
const workload = testWorkload(authority, "models/a");
const { ca } = workload;
// What no server of ours would be asked.
const nothing = grpcService(Health, { check: () => {}, watch: (call) => call.end() });

async function listening(identity: ServerIdentity, clientCertificate: boolean) {
  return await testServer(identity.grpcCredentials({ clientCertificate }), [nothing]);
}

test("the chain is the control plane's leaf, then the root", async () => {
  using identity = new ServerIdentity(authority);
  await using server = await listening(identity, false);
  const socket = await tlsConnect(server.address, { ca });
  const leaf = socket.getPeerCertificate(true);
  socket.destroy();
  expect(leaf.subjectaltname).toContain(`URI:${controlPlaneId("bank.example")}`);
  expect(Buffer.from(authority.trustBundle[0] ?? []).equals(leaf.issuerCertificate.raw)).toBe(true);
});

test("TLS 1.2 is refused", async () => {
  using identity = new ServerIdentity(authority);
  await using server = await listening(identity, false);
  await expect(tlsConnect(server.address, { ca, maxVersion: "TLSv1.2" })).rejects.toThrow(/protocol version/);
});

test.each([
  ["without a certificate", () => ({ ca }), /certificate required/],
  [
    "with one of another authority",
    () => ({ ...testWorkload(testAuthority("bank.example", Date.now), "models/a"), ca }),
    /closed the connection/,
  ],
  [
    "with one that has expired",
    () => {
      skewMs = -2 * 3_600_000;
      const old = testWorkload(authority, "models/a");
      skewMs = 0;
      return old;
    },
    /closed the connection/,
  ],
])("over mTLS a caller %s does not get through the handshake", async (_, optionsOf, refusal) => {
  const options = optionsOf();
  using identity = new ServerIdentity(authority);
  await using server = await listening(identity, true);
  await expect(tlsConnect(server.address, options)).rejects.toThrow(refusal);
  const welcome = await tlsConnect(server.address, workload);
  welcome.destroy();
});

test("the certificate is renewed while listeners stay and connections stand, over and over", async () => {
  using identity = new ServerIdentity(authority, 3_000);
  await using server = await listening(identity, true);
  const serial = async () => {
    const socket = await tlsConnect(server.address, workload);
    return { socket, serial: socket.getPeerCertificate().serialNumber };
  };
  const first = await serial();
  const serials = new Set([first.serial]);
  for (let round = 0; round < 2; round++) {
    await new Promise<void>((resolve) => identity.onRenew(() => resolve()));
    const next = await serial();
    serials.add(next.serial);
    next.socket.destroy();
    // Still TLS 1.3 and mTLS: what renews the certificate must not lose the rest.
    await expect(tlsConnect(server.address, { ca })).rejects.toThrow(/certificate required/);
    await expect(tlsConnect(server.address, { ...workload, maxVersion: "TLSv1.2" })).rejects.toThrow(
      /protocol version/,
    );
  }
  expect(serials.size).toBe(3);
  expect(first.socket.destroyed).toBe(false);
  first.socket.destroy();
  await once(first.socket, "close");
});
