import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
// @peculiar/x509 resolves its classes by tsyringe, which needs it.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { hasOpenssl } from "../../test/openssl.ts";
import type { Authority } from "./authority.ts";
import { peerFromCertificate } from "./peer.ts";

const HOUR_MS = 3_600_000;
const identity = { nodeId: "models/digits-a", serviceAccount: "digits", region: "eu-west" };
const spki = () =>
  generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey.export({ type: "spki", format: "der" });

let dir: string;
let authority: Authority;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-issue-"));
  authority = testAuthority("bank.example", Date.now);
});
afterAll(() => rmSync(dir, { recursive: true }));

function pemFile(name: string, der: Uint8Array | undefined): string {
  const path = join(dir, name);
  writeFileSync(path, new X509Certificate(der ?? new Uint8Array()).toString());
  return path;
}

describe("an SVID", () => {
  test.skipIf(!hasOpenssl).each([
    ["of a workload in a region", () => authority.issueWorkload(identity, spki(), HOUR_MS), ["sslserver", "sslclient"]],
    [
      "of a workload without one",
      () => authority.issueWorkload({ ...identity, region: undefined }, spki(), HOUR_MS),
      ["sslserver", "sslclient"],
    ],
    ["of an operator", () => authority.issueAdmin("operator", "ada", spki(), HOUR_MS), ["sslclient"]],
    ["of the control plane", () => authority.issueControlPlane(spki(), HOUR_MS), ["sslserver", "sslclient"]],
  ])("%s passes openssl verify -x509_strict", (_, issue, purposes) => {
    const root = pemFile("root.pem", authority.trustBundle[0]);
    const leaf = pemFile("leaf.pem", issue().chain[0]);
    for (const purpose of purposes)
      expect(
        execFileSync("openssl", ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, leaf]).toString(),
      ).toContain("OK");
  });

  test.skipIf(!hasOpenssl)("of an operator is no server's", () => {
    const root = pemFile("root.pem", authority.trustBundle[0]);
    const leaf = pemFile("admin.pem", authority.issueAdmin("operator", "ada", spki(), HOUR_MS).chain[0]);
    const verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root, leaf];
    expect(() => execFileSync("openssl", verify, { stdio: "pipe" })).toThrow(/unsuitable certificate purpose/);
  });

  test("has in @peculiar/x509 exactly what SPIFFE asks of a leaf", async () => {
    const { chain, notBeforeMs, notAfterMs } = authority.issueWorkload(identity, spki(), HOUR_MS);
    const leaf = new x509.X509Certificate(Buffer.from(chain[0] ?? []));
    const root = new x509.X509Certificate(Buffer.from(authority.trustBundle[0] ?? []));
    expect(await leaf.verify({ publicKey: await root.publicKey.export() })).toBe(true);
    const built = await new x509.X509ChainBuilder({ certificates: [root] }).build(leaf);
    expect(built).toHaveLength(2);

    expect(leaf.subject).toBe("");
    const names = leaf.getExtension(x509.SubjectAlternativeNameExtension);
    expect(names?.critical).toBe(true);
    expect(names?.names.toJSON()).toEqual([
      { type: "url", value: "spiffe://bank.example/ns/models/sa/digits" },
      { type: "dns", value: "digits-a.models.instance.hedgerow.internal" },
      { type: "dns", value: "eu-west.region.hedgerow.internal" },
    ]);
    const constraints = leaf.getExtension(x509.BasicConstraintsExtension);
    expect([constraints?.critical, constraints?.ca]).toEqual([true, false]);
    const usages = leaf.getExtension(x509.KeyUsagesExtension);
    expect([usages?.critical, usages?.usages]).toEqual([true, x509.KeyUsageFlags.digitalSignature]);
    expect(leaf.getExtension(x509.ExtendedKeyUsageExtension)?.usages).toEqual([
      x509.ExtendedKeyUsage.serverAuth,
      x509.ExtendedKeyUsage.clientAuth,
    ]);
    expect(leaf.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId).toBe(
      root.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
    );
    expect(leaf.notBefore.getTime()).toBe(notBeforeMs);
    expect(leaf.notAfter.getTime()).toBe(notAfterMs);
    expect(notBeforeMs).toBeLessThanOrEqual(Date.now() - 30_000);
  });

  describe("for checkpoints", () => {
    const signer = () => generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" });

    test.skipIf(!hasOpenssl)("passes openssl verify for no purpose, and fails for both of TLS", () => {
      const root = pemFile("root.pem", authority.trustBundle[0]);
      const leaf = pemFile("checkpoint.pem", authority.issueWorkloadCheckpointKey(identity, signer()).chain[0]);
      const verify = (...more: string[]) =>
        execFileSync("openssl", ["verify", "-x509_strict", ...more, "-CAfile", root, leaf], {
          stdio: "pipe",
        }).toString();
      expect(verify()).toContain("OK");
      for (const purpose of ["sslserver", "sslclient"])
        expect(() => verify("-purpose", purpose)).toThrow(/unsuitable certificate purpose/);
      const text = execFileSync("openssl", ["x509", "-noout", "-text", "-in", leaf]).toString();
      expect(text).toContain("ED25519");
      expect(text).toContain("URI:spiffe://bank.example/ns/models/sa/digits");
      expect(text).not.toContain("TLS Web");
    });

    test("has in @peculiar/x509 the names of the SVID, one usage, and 90 days", async () => {
      const { chain, notAfterMs, serial } = authority.issueWorkloadCheckpointKey(identity, signer());
      const leaf = new x509.X509Certificate(Buffer.from(chain[0] ?? []));
      const root = new x509.X509Certificate(Buffer.from(authority.trustBundle[0] ?? []));
      expect(await leaf.verify({ publicKey: await root.publicKey.export() })).toBe(true);
      expect(leaf.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
        { type: "url", value: "spiffe://bank.example/ns/models/sa/digits" },
        { type: "dns", value: "digits-a.models.instance.hedgerow.internal" },
        { type: "dns", value: "eu-west.region.hedgerow.internal" },
      ]);
      expect(leaf.getExtension(x509.ExtendedKeyUsageExtension)?.usages).toEqual(["1.3.6.1.5.5.7.3.37"]);
      expect(leaf.getExtension(x509.KeyUsagesExtension)?.usages).toBe(x509.KeyUsageFlags.digitalSignature);
      expect(leaf.getExtension(x509.BasicConstraintsExtension)?.ca).toBe(false);
      expect(BigInt(`0x${leaf.serialNumber}`)).toBe(BigInt(`0x${serial}`));
      expect(Math.abs(notAfterMs - Date.now() - 90 * 24 * HOUR_MS)).toBeLessThan(60_000);
    });

    test("of the control plane names the replica", () => {
      const { chain } = authority.issueOwnCheckpointKey("hedgerow-system/cp-0", signer());
      expect(new X509Certificate(chain[0] ?? new Uint8Array()).subjectAltName).toBe(
        "URI:spiffe://bank.example/ns/hedgerow-system/sa/control-plane, DNS:cp-0.hedgerow-system.instance.hedgerow.internal",
      );
    });
  });

  test("does not outlive the root", () => {
    const { notAfterMs } = authority.issueWorkload(identity, spki(), 100 * 365 * 24 * HOUR_MS);
    const root = new X509Certificate(authority.trustBundle[0] ?? new Uint8Array());
    expect(notAfterMs).toBe(root.validToDate.getTime());
  });

  test("has a serial number of its own", () => {
    const serials = Array.from({ length: 20 }, () => {
      const { chain } = authority.issueWorkload(identity, spki(), HOUR_MS);
      return new X509Certificate(chain[0] ?? new Uint8Array()).serialNumber;
    });
    expect(new Set(serials).size).toBe(20);
  });
});

test("a root has in @peculiar/x509 exactly what SPIFFE asks of a signing certificate, for ten years", () => {
  const root = new x509.X509Certificate(Buffer.from(authority.trustBundle[0] ?? []));
  expect(root.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
    { type: "url", value: "spiffe://bank.example" },
  ]);
  const constraints = root.getExtension(x509.BasicConstraintsExtension);
  expect([constraints?.critical, constraints?.ca]).toEqual([true, true]);
  const usages = root.getExtension(x509.KeyUsagesExtension);
  expect([usages?.critical, usages?.usages]).toEqual([
    true,
    x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
  ]);
  expect(root.notAfter.getTime() - Date.now()).toBeGreaterThan(3649 * 24 * HOUR_MS);
});

describe("the peer that a certificate names", () => {
  const der = (issued: { chain: readonly Uint8Array[] }) => issued.chain[0] ?? new Uint8Array();

  test("is what was issued", () => {
    expect(
      peerFromCertificate("bank.example", der(authority.issueWorkload(identity, spki(), HOUR_MS)), Date.now()),
    ).toMatchObject({
      kind: "workload",
      spiffeId: "spiffe://bank.example/ns/models/sa/digits",
      nodeId: "models/digits-a",
      region: "eu-west",
    });
    expect(
      peerFromCertificate("bank.example", der(authority.issueAdmin("viewer", "ada", spki(), HOUR_MS)), Date.now()),
    ).toMatchObject({
      kind: "admin",
      spiffeId: "spiffe://bank.example/admin/viewer/ada",
      role: "viewer",
      name: "ada",
    });
    expect(
      peerFromCertificate("bank.example", der(authority.issueControlPlane(spki(), HOUR_MS)), Date.now())?.kind,
    ).toBe("control-plane");
  });

  test("is nobody for another trust domain, a root and other bytes", () => {
    const leaf = der(authority.issueWorkload(identity, spki(), HOUR_MS));
    expect(peerFromCertificate("bank.example.org", leaf, Date.now())).toBeUndefined();
    expect(peerFromCertificate("bank", leaf, Date.now())).toBeUndefined();
    expect(
      peerFromCertificate("bank.example", authority.trustBundle[0] ?? new Uint8Array(), Date.now()),
    ).toBeUndefined();
    expect(peerFromCertificate("bank.example", new Uint8Array(), Date.now())).toBeUndefined();
    expect(peerFromCertificate("bank.example", Buffer.from("3003020101", "hex"), Date.now())).toBeUndefined();
  });

  test("is nobody from the moment on at which it ends", () => {
    const { chain, notAfterMs } = authority.issueWorkload(identity, spki(), HOUR_MS);
    expect(peerFromCertificate("bank.example", der({ chain }), notAfterMs - 1)?.notAfterMs).toBe(notAfterMs);
    expect(peerFromCertificate("bank.example", der({ chain }), notAfterMs)).toBeUndefined();
  });

  test("never throws, whatever byte is changed", () => {
    const leaf = der(authority.issueWorkload(identity, spki(), HOUR_MS));
    for (let index = 0; index < leaf.length; index++) {
      const changed = Buffer.from(leaf);
      changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
      expect(() => peerFromCertificate("bank.example", changed, Date.now())).not.toThrow();
    }
  });
});
