import { expect, test } from "vitest";
import { answer, readQuestion } from "./message.ts";

const A = 1;
const AAAA = 28;

function query(name: string, type: number): Buffer {
  const labels = name.split(".").flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const header = Buffer.from([0xab, 0xcd, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, type, 0, 1])]);
}

test("a question is read in lower case", () => {
  expect(readQuestion(query("Web.Shop", A))).toEqual({ name: "web.shop", wantsAddresses: true });
  expect(readQuestion(query("web.shop", AAAA))).toEqual({ name: "web.shop", wantsAddresses: false });
});

test("anything cut short, an answer, and a pointer are no questions", () => {
  const whole = query("web.shop", A);
  for (let length = 0; length < whole.length; length++)
    expect(readQuestion(whole.subarray(0, length)), String(length)).toBeUndefined();
  const reply = Buffer.from(whole);
  reply.writeUInt8(0x81, 2);
  expect(readQuestion(reply)).toBeUndefined();
  const pointer = Buffer.from(whole);
  pointer.writeUInt8(0xc0, 12);
  expect(readQuestion(pointer)).toBeUndefined();
});

test("an answer repeats id and question, and carries the addresses", () => {
  const asked = query("web.shop", A);
  const reply = answer(asked, ["10.96.0.1", "10.96.0.255"]);
  expect(reply.readUInt16BE(0)).toBe(0xabcd);
  expect(reply.readUInt16BE(2)).toBe(0x8580);
  expect(reply.readUInt16BE(6)).toBe(2);
  expect(reply.subarray(12, asked.length)).toEqual(asked.subarray(12));
  expect(reply.subarray(-4)).toEqual(Buffer.from([10, 96, 0, 255]));
});

test("no addresses and no such name are different answers", () => {
  const asked = query("web.shop", AAAA);
  expect(answer(asked, []).readUInt16BE(2) & 15).toBe(0);
  expect(answer(asked, undefined).readUInt16BE(2) & 15).toBe(3);
});

test("with many addresses and a long name it fits 512 bytes", () => {
  const long = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
  const reply = answer(
    query(long, A),
    Array.from({ length: 50 }, (_, at) => `10.0.0.${at}`),
  );
  expect(reply.length).toBeLessThanOrEqual(512);
  expect(reply.readUInt16BE(6)).toBe(13);
});
