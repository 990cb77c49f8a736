import { expect, test } from "vitest";
import { decisionIds } from "./decision-id.ts";

test("ids are 80 bits in Crockford's base32", () => {
  const zeros = decisionIds((bytes) => void bytes.fill(0));
  expect(zeros()).toBe("0000000000000000");
  const ones = decisionIds((bytes) => void bytes.fill(0xff));
  expect(ones()).toBe("ZZZZZZZZZZZZZZZZ");
  // As BigInt has it, five bits a character.
  const counting = decisionIds((bytes) => bytes.set(bytes.map((_, at) => (at * 37) & 0xff)));
  for (let draw = 0; draw < 600; draw += 1) {
    let value = 0n;
    for (let at = 0; at < 10; at += 1) value = value * 256n + BigInt((((draw % 512) * 10 + at) * 37) & 0xff);
    let text = "";
    for (let shift = 75n; shift >= 0n; shift -= 5n)
      text += "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[Number((value >> shift) & 31n)];
    expect(counting()).toBe(text);
  }
});

test("no two are the same", () => {
  const draw = decisionIds();
  const drawn = Array.from({ length: 10_000 }, draw);
  expect(new Set(drawn).size).toBe(drawn.length);
  for (const id of drawn) expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{16}$/);
});
