import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyedDigest } from "./digest.ts";

test("is HMAC-SHA256, for keys and messages of every length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 400 }), (key, message) => {
      expect(new KeyedDigest(key).of(message)).toBe(createHmac("sha256", key).update(message).digest("base64url"));
    }),
  );
});

test.each([0, 1, 16_383, 16_384, 16_385, 700_000])("is HMAC-SHA256 of %i bytes, whatever came before", (length) => {
  const key = Buffer.from("a key of the policy");
  const digest = new KeyedDigest(key);
  digest.of(Buffer.alloc(10_000, 7));
  const message = Buffer.alloc(length, "abc");
  expect(digest.of(message)).toBe(createHmac("sha256", key).update(message).digest("base64url"));
});
