import { randomBytes } from "node:crypto";
import zlib from "node:zlib";
import { describe, expect, test } from "vitest";
import { decompress } from "./decompress.ts";

const CODECS = [
  ["gzip", zlib.gzipSync],
  ["deflate", zlib.deflateSync],
  ["br", zlib.brotliCompressSync],
] as const;

describe.each(CODECS)("%s", (name, compress) => {
  const malformed = { ok: false, kind: "malformed", problem: `the message is not exactly one ${name} stream` };
  const tooLarge = { ok: false, kind: "too_large", problem: "more than 1000 bytes, decompressed" };
  const small = randomBytes(1000);

  test("a small message at once, a large one by a promise", async () => {
    expect(decompress(name, compress(small), 1000)).toEqual({ ok: true, bytes: small });
    const large = randomBytes(100_000);
    const later = decompress(name, compress(large), 100_000);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toEqual({ ok: true, bytes: large });
    const empty = decompress(name, compress(new Uint8Array()), 1000);
    expect(empty).toEqual({ ok: true, bytes: Buffer.alloc(0) });
  });

  test("a message of few bytes that become many, within the limit", async () => {
    const zeros = Buffer.alloc(1024 * 1024);
    const later = decompress(name, compress(zeros), zeros.length);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toEqual({ ok: true, bytes: zeros });
  });

  test("a bomb is stopped at the limit", async () => {
    expect(decompress(name, compress(Buffer.alloc(1001)), 1000)).toEqual(tooLarge);
    const bomb = compress(Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage().external;
    expect(await decompress(name, bomb, 1000)).toEqual(tooLarge);
    expect(process.memoryUsage().external - before).toBeLessThan(4 * 1024 * 1024);
  });

  test.each([
    ["empty", () => new Uint8Array()],
    ["cut short", () => compress(small).subarray(0, -1)],
    ["a second stream", () => Buffer.concat([compress(small.subarray(500)), compress(small.subarray(0, 500))])],
    ["trailing zeros", () => Buffer.concat([compress(small), Buffer.alloc(4)])],
    ["trailing bytes", () => Buffer.concat([compress(small), Buffer.from("more")])],
    ["not compressed", () => small],
    ["a raw deflate stream", () => zlib.deflateRawSync(small)],
  ])("%s is refused", async (_, bytes) => {
    expect(await decompress(name, bytes(), 100_000)).toEqual(malformed);
  });
});

test("gzip: name and comment are passed over, a wrong checksum or length is refused", () => {
  const plain = Buffer.from("plain");
  const member = zlib.gzipSync(plain);
  const named = Buffer.concat([
    member.subarray(0, 3),
    Buffer.of(8 | 16),
    member.subarray(4, 10),
    Buffer.from("n\0c\0"),
    member.subarray(10),
  ]);
  expect(decompress("gzip", named, 100)).toEqual({ ok: true, bytes: plain });
  for (const at of [-8, -4, 3]) {
    const wrong = Buffer.from(member);
    wrong[wrong.length * Number(at < 0) + at] = 0xee;
    expect(decompress("gzip", wrong, 100)).toMatchObject({ kind: "malformed" });
  }
});
