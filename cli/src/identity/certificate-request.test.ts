import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { certificateRequest } from "./certificate-request.ts";

it("makes a request that openssl verifies, with the key and an empty subject", () => {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const input = certificateRequest(keys);
  // -verify does not change the exit status, only what is said.
  const output = execFileSync("sh", ["-c", "openssl req -inform DER -verify -noout -text -subject -pubkey 2>&1"], {
    input,
  }).toString();
  expect(output).toMatch(/self-signature verify OK/i);
  expect(output).toContain("Signature Algorithm: ecdsa-with-SHA256");
  expect(output).toMatch(/^subject=\s*$/m);
  const publicKey = /-----BEGIN PUBLIC KEY-----[\s\S]*-----END PUBLIC KEY-----/.exec(output)?.[0] ?? "";
  expect(createPublicKey(publicKey).equals(keys.publicKey)).toBe(true);
});
