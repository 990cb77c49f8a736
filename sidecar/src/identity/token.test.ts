import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TestCa } from "../../test/test-ca.ts";
import type { Enrolment } from "../config.ts";
import { adviceAbout, decodeToken } from "./token.ts";

const byJoinToken: Enrolment = { kind: "join_token", tokenFile: "/token" };
const byServiceAccount: Enrolment = {
  kind: "service_account",
  tokenFile: "/token",
  nodeId: "shop/web-0.blue",
  trustDomain: "bank.example",
  rootDigests: new Set(["a".repeat(64)]),
};

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jws = (payload: unknown, typ = "hedgerow-join+jwt") => `${encode({ alg: "ES256", typ })}.${encode(payload)}.AA`;
const good = { iss: "spiffe://bank.example", sub: "shop/caller", exp: 2_000_000_000, roots: ["A".repeat(64)] };

describe("a join token", () => {
  test("says who we are, in which trust domain, and by which roots to know the control plane", async () => {
    const ca = new TestCa("bank.example");
    const compact = await ca.token("shop/caller");
    expect(decodeToken(`\n ${compact}\n`, byJoinToken)).toMatchObject({
      ok: true,
      value: { compact, trustDomain: "bank.example", nodeId: "shop/caller", rootDigests: new Set([ca.rootDigest()]) },
    });
  });

  test("compares digests in lower case", () => {
    expect(decodeToken(jws(good), byJoinToken)).toMatchObject({
      ok: true,
      value: { rootDigests: new Set(["a".repeat(64)]) },
    });
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
    expect(decodeToken(text, byJoinToken)).toEqual({ ok: false, message });
  });

  test("no text makes the decoder throw", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.jsonValue().map((payload) => jws(payload)),
    );
    expect.assertions(0);
    fc.assert(fc.property(texts, (text) => !decodeToken(text, byJoinToken).ok));
    fc.assert(fc.property(texts, (text) => decodeToken(text, byServiceAccount).ok || true));
  });

  test("that is refused is explained to its holder", () => {
    const token = { ...byServiceAccount, kind: "join_token" as const, compact: "", expiresAtMs: 2_000 };
    expect(adviceAbout(token, 1_000)).toMatch(/^it has been used.* hedgerow token create shop\/web-0\.blue$/);
    expect(adviceAbout(token, 3_000)).toMatch(/^it expired at 1970-01-01T00:00:02\.000Z; make another/);
  });
});

describe("a service-account token", () => {
  const account = { aud: ["hedgerow-enroll"], exp: 2_000_000_000, sub: "system:serviceaccount:shop:web" };

  test("enrols whom the settings name, under the roots that they name", () => {
    const compact = jws(account, "JWT");
    expect(decodeToken(compact, byServiceAccount)).toEqual({
      ok: true,
      value: {
        kind: "service_account",
        compact,
        nodeId: "shop/web-0.blue",
        trustDomain: "bank.example",
        rootDigests: new Set(["a".repeat(64)]),
        expiresAtMs: 2_000_000_000_000,
      },
    });
  });

  test.each([
    ["nothing", "", /no compact JWS/],
    ["two parts", jws(account).split(".").slice(0, 2).join("."), /no compact JWS/],
    ["a list for claims", jws([]), /no compact JWS/],
    ["too much", jws({ ...account, more: "x".repeat(4096) }), /^token is over 4096 bytes$/],
    ["no audience", jws({}), /^token is for no audience, expected hedgerow-enroll: set the audience/],
    [
      "the API server's audience",
      jws({ ...account, aud: ["https://kubernetes.default.svc"] }),
      /^token is for \["https:\/\/kubernetes\.default\.svc"\], expected hedgerow-enroll: set the audience/,
    ],
  ])("with %s is not sent", (_, text, message) => {
    expect(decodeToken(text, byServiceAccount)).toEqual({ ok: false, message: expect.stringMatching(message) });
  });

  test("that is refused is explained to its holder", () => {
    const token = { ...byServiceAccount, compact: "", expiresAtMs: 2_000 };
    expect(adviceAbout(token, 1_000)).toMatch(/the cluster does not know it/);
    expect(adviceAbout(token, 3_000)).toMatch(/the kubelet has not renewed it/);
    expect(adviceAbout({ ...token, expiresAtMs: undefined }, 3_000)).toMatch(/the cluster does not know it/);
  });
});
