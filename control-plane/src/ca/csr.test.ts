import { execFileSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testCsr, testKey } from "../../test/csr.ts";
import { hasOpenssl } from "../../test/openssl.ts";
import { MAX_CSR_BYTES, parseCsr } from "./csr.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-csr-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

function opensslCsr(key: readonly string[], req: readonly string[] = []): Buffer {
  const keyPath = join(dir, "key.pem");
  const csrPath = join(dir, "csr.der");
  execFileSync("openssl", [...key, "-out", keyPath], { stdio: "pipe" });
  execFileSync("openssl", [
    "req",
    "-new",
    "-key",
    keyPath,
    "-outform",
    "DER",
    "-out",
    csrPath,
    "-subj",
    "/CN=x",
    ...req,
  ]);
  return readFileSync(csrPath);
}
const p256 = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

describe("a certification request", () => {
  test.skipIf(!hasOpenssl)("by openssl, with names that it claims: only its key is taken", () => {
    const result = parseCsr(opensslCsr(p256, ["-addext", "subjectAltName=URI:spiffe://bank.example/ns/a/sa/b"]));
    expect(
      result.ok && createPublicKey({ key: Buffer.from(result.publicKey), format: "der", type: "spki" }),
    ).toMatchObject({ asymmetricKeyType: "ec", asymmetricKeyDetails: { namedCurve: "prime256v1" } });
  });

  test.skipIf(!hasOpenssl).each([
    ["on another curve", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], [], /P-256/],
    ["with RSA", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], [], /P-256/],
    ["with another digest", p256, ["-sha512"], /SHA-256/],
  ])("%s is refused", (_, key, req, problem) => {
    const result = parseCsr(opensslCsr(key, req));
    expect(result.ok ? "" : result.problem).toMatch(problem);
  });

  test("signed by another key is refused", () => {
    const result = parseCsr(testCsr(testKey(), testKey().privateKey));
    expect(result.ok ? "" : result.problem).toBe("certification request is not signed by the key in it");
  });

  test.each([
    ["empty", new Uint8Array(), /no PKCS#10/],
    ["too long", new Uint8Array(MAX_CSR_BYTES + 1), /at most 4096/],
    ["with a byte behind it", Buffer.concat([testCsr(), Buffer.of(0)]), /no PKCS#10/],
    // 0x30 0x80: a SEQUENCE of indefinite length, around itself.
    ["of endless depth", Buffer.alloc(MAX_CSR_BYTES, "3080", "hex"), /no PKCS#10/],
  ])("%s is refused", (_, der, problem) => {
    const result = parseCsr(der);
    expect(result.ok ? "" : result.problem).toMatch(problem);
  });

  test("with any byte changed is refused, and nothing throws", () => {
    const der = testCsr();
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const changed = Buffer.from(der);
        changed[index] = (changed[index] ?? 0) ^ mask;
        expect(parseCsr(changed).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test("cut, spliced or made of any bytes: nothing throws", () => {
    const der = testCsr();
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc
        .tuple(fc.nat(der.length), fc.nat(der.length), fc.uint8Array({ maxLength: 40 }))
        .map(([from, to, middle]) => Buffer.concat([der.subarray(0, from), middle, der.subarray(to)])),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        const result = parseCsr(input);
        expect(result.ok || result.problem.length > 0).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
