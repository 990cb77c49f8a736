import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { SvidSchema } from "@hedgerow/proto/hedgerow/ca/v1/ca";
import { describe, expect, test } from "vitest";
import { TestCa } from "../../test/test-ca.ts";
import { encodeCsr } from "./csr.ts";
import { spiffeIdOf } from "./spiffe.ts";
import { PrivateKey, readSvid } from "./svid.ts";

function request(): { key: PrivateKey; csr: Uint8Array } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  return { key: new PrivateKey(privateKey), csr: encodeCsr(spki, (content) => sign("sha256", content, privateKey)) };
}

describe("a certification request", () => {
  test("passes openssl, and names nobody", () => {
    // Many keys: a public point may look like ASN.1 of its own to a parser that is too eager.
    for (let round = 0; round < 20; round += 1) {
      const told = execFileSync("openssl", ["req", "-inform", "DER", "-verify", "-noout", "-subject", "-text"], {
        input: request().csr,
        stdio: ["pipe", "pipe", "pipe"],
      }).toString();
      expect(told).toMatch(/Subject: *\n/);
      expect(told).toContain("prime256v1");
    }
  });
});

describe("an SVID", () => {
  const ca = new TestCa("bank.example");
  const other = new TestCa("bank.example");
  const { key, csr } = request();
  const expected = { key, trustDomain: "bank.example", nodeId: "shop/caller", nowMs: Date.now() };
  const svid = ca.sign(csr, "shop/caller");

  test("of our key, our node and our trust domain is taken", () => {
    const read = readSvid(svid, expected);
    expect(read).toMatchObject({ ok: true, value: { spiffeId: "spiffe://bank.example/ns/shop/sa/caller" } });
    expect(JSON.stringify(read)).toContain("[redacted]");
    expect(JSON.stringify(read)).not.toContain("PRIVATE KEY");
  });

  test.each([
    ["nothing", undefined, {}, /^answer holds no SVID$/],
    ["an empty one", create(SvidSchema, {}), {}, /^certificate chain is empty or no DER$/],
    ["no bundle", { ...svid, trustBundle: [] }, {}, /^trust bundle is empty or no DER$/],
    [
      "garbage",
      { ...svid, certificateChain: [new Uint8Array([1, 2, 3])] },
      {},
      /^certificate chain is empty or no DER$/,
    ],
    ["another key", ca.sign(request().csr, "shop/caller"), {}, /^certificate is for another key$/],
    ["another node", svid, { nodeId: "shop/other" }, /^answer is for node shop\/caller, expected shop\/other$/],
    ["another trust domain", svid, { trustDomain: "evil.example" }, /is of another trust domain$/],
    [
      "another SPIFFE id than it says",
      { ...svid, spiffeId: "spiffe://bank.example/x" },
      {},
      /name different SPIFFE ids$/,
    ],
    [
      "a bundle that did not sign it",
      { ...svid, trustBundle: [other.root.raw] },
      {},
      /does not lead to the trust bundle$/,
    ],
    ["the past", svid, { nowMs: Date.now() + 7_200_000 }, /^certificate has expired/],
    ["the future", svid, { nowMs: Date.now() - 7_200_000 }, /^certificate is not valid yet/],
  ])("with %s is refused", (_, message, change, words) => {
    const read = readSvid(message, { ...expected, ...change });
    expect(read).toEqual({ ok: false, message: expect.stringMatching(words) });
  });
});

test.each([
  ["none", undefined, undefined],
  ["one", "DNS:a.example, URI:spiffe://bank.example/ns/a/sa/b", "spiffe://bank.example/ns/a/sa/b"],
  ["two", "URI:spiffe://bank.example/a, URI:spiffe://bank.example/b", undefined],
  ["another scheme", "URI:https://bank.example/a", undefined],
  ["a DNS name that pretends, which node:crypto quotes", 'DNS:"x, URI:spiffe://bank.example/a"', undefined],
])("SPIFFE id of a certificate with %s", (_, names, id) => {
  expect(spiffeIdOf(names)).toBe(id);
});
