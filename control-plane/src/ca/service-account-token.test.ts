import fc from "fast-check";
import { expect, test } from "vitest";
import { claimsToBeJoinToken, hopelessServiceAccountToken } from "./service-account-token.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const token = (claims: unknown, header: unknown = { alg: "RS256" }) => `${encode(header)}.${encode(claims)}.x`;
const good = { aud: ["hedgerow-enroll"], exp: 1_000, "kubernetes.io": { pod: { name: "a", uid: "b" } } };

test.each([
  ["empty", "", "token is no JWT"],
  ["no claims", "a.b.c", "token is no JWT"],
  ["a list of claims", token([1]), "token is for another audience"],
  ["another audience", token({ ...good, aud: ["https://kubernetes.default.svc"] }), "token is for another audience"],
  ["no audience", token({ ...good, aud: undefined }), "token is for another audience"],
  ["no pod", token({ ...good, "kubernetes.io": { namespace: "a" } }), "token is not bound to a pod"],
  ["expired long ago", token({ ...good, exp: 900 }), "token has expired"],
  ["expired, or our clock is wrong", token({ ...good, exp: 990 }), undefined],
  ["one audience as text", token({ ...good, aud: "hedgerow-enroll" }), undefined],
  ["good", token(good), undefined],
])("a token with %s", (_, text, expected) => {
  expect(hopelessServiceAccountToken(text, 1_000_000)).toBe(expected);
});

test("a join token says so in its header", () => {
  expect(claimsToBeJoinToken(token({}, { typ: "hedgerow-join+jwt" }))).toBe(true);
  expect(claimsToBeJoinToken(token({}, { typ: "JWT" }))).toBe(false);
  expect(claimsToBeJoinToken("")).toBe(false);
});

test("whatever a stranger sends, nothing throws", () => {
  const payload = fc.json().map((json) => `e30.${Buffer.from(json).toString("base64url")}.x`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), payload), (text) => {
      expect(claimsToBeJoinToken(text)).toBe(false);
      expect(hopelessServiceAccountToken(text, 0)).toMatch(/^token is/);
    }),
  );
});
