import { generateKeyPairSync, randomBytes } from "node:crypto";
import { compactDecrypt, exportJWK, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { encryptPayload, type Recipient, readRecipient } from "./payload.ts";

const auditor = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = { ...auditor.publicKey.export({ format: "jwk" }), kid: "auditor-2026" };

function recipient(): Recipient {
  const read = readRecipient(JSON.stringify(jwk));
  if (!read.ok) throw new Error(read.problem);
  return read.value;
}

async function decrypt(jwe: string) {
  const { plaintext, protectedHeader } = await compactDecrypt(jwe, auditor.privateKey);
  return { plaintext: Buffer.from(plaintext), protectedHeader };
}

describe("a sampled payload", () => {
  test.each([0, 1, 4096, 65_536])("of %d bytes is read by the auditor's key, with jose", async (length) => {
    const payload = randomBytes(length);
    const { plaintext, protectedHeader } = await decrypt(encryptPayload(payload, 65_536, recipient()));
    expect(plaintext.equals(payload)).toBe(true);
    expect(protectedHeader).toMatchObject({ alg: "ECDH-ES", enc: "A256GCM", kid: "auditor-2026" });
    expect(protectedHeader).not.toHaveProperty("bytes");
  });

  test("over the limit is cut, and says how long it was", async () => {
    const payload = randomBytes(1000);
    const { plaintext, protectedHeader } = await decrypt(encryptPayload(payload, 100, recipient()));
    expect(plaintext.equals(payload.subarray(0, 100))).toBe(true);
    expect(protectedHeader["bytes"]).toBe(1000);
  });

  test("is for nobody else, and two of the same differ", async () => {
    const jwe = encryptPayload(Buffer.from("patient 7"), 100, recipient());
    expect(jwe).not.toBe(encryptPayload(Buffer.from("patient 7"), 100, recipient()));
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await expect(compactDecrypt(jwe, other.privateKey)).rejects.toThrow("decryption operation failed");
  });

  test("that was altered anywhere is not read", async () => {
    const parts = encryptPayload(Buffer.from("patient 7"), 100, recipient()).split(".");
    for (const index of [2, 3, 4]) {
      const altered = parts.map((part, at) =>
        at === index ? (part.startsWith("A") ? "B" : "A") + part.slice(1) : part,
      );
      await expect(compactDecrypt(altered.join("."), auditor.privateKey), `part ${index}`).rejects.toThrow(
        "decryption operation failed",
      );
    }
  });
});

describe("an auditor's key", () => {
  test("that jose exported is read", async () => {
    const exported = await exportJWK(auditor.publicKey);
    expect(readRecipient(JSON.stringify(exported)).ok).toBe(true);
    await importJWK(exported, "ECDH-ES");
  });

  test.each([
    ["nothing", "", "no JWK: expected a JSON object"],
    ["a list", "[]", "no JWK: expected a JSON object"],
    ["PEM", "-----BEGIN PUBLIC KEY-----", "no JWK: expected a JSON object"],
    [
      "a private key",
      JSON.stringify(auditor.privateKey.export({ format: "jwk" })),
      "JWK is a private key: only the public one belongs here",
    ],
    ["another curve", JSON.stringify({ ...jwk, crv: "P-384" }), "JWK is not an EC key on P-256"],
    ["a symmetric key", '{"kty":"oct","k":"AAAA"}', "JWK is not an EC key on P-256"],
    ["a point off the curve", JSON.stringify({ ...jwk, y: jwk.x }), "JWK is no point on P-256"],
    ["far too much", " ".repeat(20_000), "JWK is over 16384 bytes"],
  ])("is refused: %s", (_, text, problem) => {
    expect(readRecipient(text)).toEqual({ ok: false, problem });
  });
});
