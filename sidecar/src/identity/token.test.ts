import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TestCa } from "../../test/test-ca.ts";
import { decodeToken } from "./token.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jws = (payload: unknown, typ = "hedgerow-join+jwt") => `${encode({ alg: "ES256", typ })}.${encode(payload)}.AA`;
const good = { iss: "spiffe://bank.example", sub: "shop/caller", exp: 2_000_000_000, roots: ["A".repeat(64)] };

describe("a join token", () => {
  test("says who we are, in which trust domain, and by which roots to know the control plane", async () => {
    const ca = new TestCa("bank.example");
    const compact = await ca.token("shop/caller");
    expect(decodeToken(`\n ${compact}\n`)).toMatchObject({
      ok: true,
      value: { compact, trustDomain: "bank.example", nodeId: "shop/caller", rootDigests: new Set([ca.rootDigest()]) },
    });
  });

  test("compares digests in lower case", () => {
    expect(decodeToken(jws(good))).toMatchObject({ ok: true, value: { rootDigests: new Set(["a".repeat(64)]) } });
  });

  test.each([
    ["nothing", "", "token is no compact JWS"],
    ["another typ", jws(good, "JWT"), 'token has typ "JWT", expected hedgerow-join+jwt'],
    ["no roots", jws({ ...good, roots: [] }), "token has missing or malformed claims: roots"],
    ["a root that is no SHA-256", jws({ ...good, roots: ["abc"] }), "token has missing or malformed claims: roots"],
    ["no claims", jws({}), "token has missing or malformed claims: iss, sub, exp, roots"],
    [
      "an issuer that is no trust domain",
      jws({ ...good, iss: "https://x" }),
      "token has missing or malformed claims: iss",
    ],
    ["a subject that is no node id", jws({ ...good, sub: "caller" }), "token has missing or malformed claims: sub"],
  ])("with %s is refused in words", (_, text, message) => {
    expect(decodeToken(text)).toEqual({ ok: false, message });
  });

  test("no text makes the decoder throw", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.jsonValue().map((payload) => jws(payload)),
    );
    expect.assertions(0);
    fc.assert(fc.property(texts, (text) => !decodeToken(text).ok));
  });
});
