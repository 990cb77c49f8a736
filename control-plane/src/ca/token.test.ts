import { generateKeyPairSync } from "node:crypto";
import { type JWTHeaderParameters, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { buildClaims, checkClaims, TOKEN_TYPE } from "./token.ts";

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 600);
const claims = buildClaims({
  trustDomain: "bank.example",
  nodeId: "models/a",
  region: "eu",
  jti: "0123456789abcdef",
  nowMs,
  ttlMs: 60_000,
  reusable: false,
  roots: ["ab"],
});
const header = { alg: "ES256", typ: TOKEN_TYPE };
const check = (changes: Record<string, unknown>, atMs = nowMs, typ: unknown = TOKEN_TYPE) => {
  const result = checkClaims(
    { ...header, typ },
    { ...claims, ...changes },
    { trustDomain: "bank.example", nowMs: atMs },
  );
  return result.ok ? "ok" : result.problem;
};

describe("claims", () => {
  test("are checked as they were built, and nothing else is let through", () => {
    const result = checkClaims(header, { ...claims, admin: true }, { trustDomain: "bank.example", nowMs });
    expect(result.ok && result.claims).toEqual(claims);
  });

  test.each([
    ["another issuer", { iss: "spiffe://bank.example.org" }, /issuer/],
    ["another audience", { aud: "hedgerow-admin" }, /audience/],
    ["an audience among others", { aud: ["hedgerow-enroll"] }, /audience/],
    ["no expiry", { exp: undefined }, /times/],
    ["no node id", { sub: "models" }, /node id/],
    ["a jti that could break a line", { jti: "0123456789abcdef\n" }, /jti/],
    ["reusable as text", { reusable: "false" }, /boolean/],
    ["a region that is no text", { region: 1 }, /region/],
    ["no roots", { roots: undefined }, /roots/],
  ])("with %s are refused", (_, changes, problem) => {
    expect(check(changes)).toMatch(problem);
  });

  test("of another type of token are refused", () => {
    expect(check({}, nowMs, "JWT")).toMatch(/type/);
    expect(check({}, nowMs, null)).toMatch(/type/);
  });

  test("expire at the second of exp, and live at least as long as asked", () => {
    expect(claims.exp * 1000).toBeGreaterThanOrEqual(nowMs + 60_000);
    expect(check({}, claims.exp * 1000 - 1)).toBe("ok");
    expect(check({}, claims.exp * 1000)).toMatch(/expired/);
  });
});

describe("a token", () => {
  const authority = testAuthority("bank.example", () => nowMs);
  const identity = { nodeId: "models/a", serviceAccount: "digits", region: undefined };
  const problemOf = async (token: string) => {
    const result = await authority.verifyToken(token);
    return result.ok ? "ok" : result.problem;
  };
  const forge = (key: Parameters<SignJWT["sign"]>[0], protectedHeader: JWTHeaderParameters) =>
    new SignJWT({ ...claims, roots: ["ab"] }).setProtectedHeader(protectedHeader).sign(key);

  test("says what the authority put into it, its roots' digests too", async () => {
    const { token, expiresAtMs } = await authority.createToken(identity, { ttlMs: 1_000, reusable: true });
    const result = await authority.verifyToken(token);
    expect(result.ok && result.claims).toMatchObject({
      sub: "models/a",
      reusable: true,
      exp: expiresAtMs / 1000,
      roots: authority.rootDigests,
    });
    expect(result.ok && "region" in result.claims).toBe(false);
  });

  test("signed by another key is refused", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    expect(await problemOf(await forge(privateKey, header))).toMatch(/signature/);
  });

  test("of another authority of the same trust domain is refused", async () => {
    const other = testAuthority("bank.example", () => nowMs);
    const { token } = await other.createToken(identity, { ttlMs: 1_000, reusable: true });
    expect(await problemOf(token)).toMatch(/signature/);
  });

  test("with alg none is refused", async () => {
    const token = new UnsecuredJWT({ ...claims, roots: ["ab"] }).encode();
    expect(await problemOf(token)).not.toBe("ok");
  });

  test("by HMAC with the public key is refused", async () => {
    const root = authority.trustBundle[0] ?? new Uint8Array();
    expect(await problemOf(await forge(root, { alg: "HS256", typ: TOKEN_TYPE }))).toMatch(/alg/);
  });

  test.each([
    ["empty", ""],
    ["no JWS", "a.b.c"],
    ["too long", "a".repeat(4097)],
  ])("that is %s is refused", async (_, token) => {
    expect(await problemOf(token)).not.toBe("ok");
  });

  test("with any character changed is refused", async () => {
    const { token } = await authority.createToken(identity, { ttlMs: 1_000, reusable: true });
    for (let index = 0; index < token.length - 1; index += 7) {
      const other = token[index] === "A" ? "B" : "A";
      expect(await problemOf(token.slice(0, index) + other + token.slice(index + 1))).not.toBe("ok");
    }
  });

  test("is refused after its time", async () => {
    let time = nowMs;
    const clocked = testAuthority("bank.example", () => time);
    const { token, expiresAtMs } = await clocked.createToken(identity, { ttlMs: 1_000, reusable: false });
    expect((await clocked.verifyToken(token)).ok).toBe(true);
    time = expiresAtMs;
    expect(await clocked.verifyToken(token)).toEqual({ ok: false, problem: "token has expired" });
  });
});
