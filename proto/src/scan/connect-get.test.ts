import { describe, expect, test } from "vitest";
import { readConnectGet } from "./connect-get.ts";

const message = (text: string) => new TextEncoder().encode(text);

describe("read", () => {
  test.each([
    ["JSON, percent-encoded", "connect=v1&encoding=json&message=%7B%7d", { json: true, message: message("{}") }],
    ["an empty message", "encoding=proto&message=", { json: false, message: message("") }],
    ["base64, unpadded", "base64=1&encoding=proto&message=aGk", { json: false, message: message("hi") }],
    ["base64, padded", "base64=1&encoding=proto&message=aGk%3D", { json: false, message: message("hi") }],
    ["base64url", "base64=1&encoding=proto&message=_-8", { json: false, message: Uint8Array.of(0xff, 0xef) }],
    [
      "compressed",
      "base64=1&compression=gzip&encoding=json&message=aGk",
      { json: true, compression: "gzip", message: message("hi") },
    ],
    ["identity", "compression=identity&encoding=json&message=1", { json: true, message: message("1") }],
    ["what else stands there", "x=%ff&encoding=json&x=1&message=1", { json: true, message: message("1") }],
    ["a plus is a blank", "encoding=json&message=1+", { json: true, message: message("1 ") }],
  ])("%s", (_, query, value) => {
    expect(readConnectGet(query)).toEqual({ ok: true, value: { compression: undefined, ...value } });
  });
});

describe("refused", () => {
  test.each([
    ["empty", "", "an encoding other than proto and json"],
    ["no message", "encoding=json", "there is no message"],
    ["a message twice", "encoding=json&message=1&message=2", "message is given twice"],
    ["a message twice, once escaped", "encoding=json&message=1&mess%61ge=2", "message is given twice"],
    ["another encoding", "encoding=JSON&message=1", "an encoding other than proto and json"],
    ["another version", "connect=v2&encoding=json&message=1", "another version of Connect than v1"],
    ["base64 of another kind", "base64=0&encoding=json&message=1", "base64 is something else than 1"],
    ["base64 with a blank", "base64=1&encoding=proto&message=aG+k", "the message is not base64"],
    ["base64 with a digit too few", "base64=1&encoding=proto&message=aGkaG", "the message is not base64"],
    ["base64 padded within", "base64=1&encoding=proto&message=aGk%3DaGk%3D", "the message is not base64"],
    ["base64 padded too much", "base64=1&encoding=proto&message=aGk%3D%3D", "the message is not base64"],
    ["a broken escape", "encoding=json&message=%7", "message is not percent-encoded UTF-8"],
    ["an escape of no UTF-8", "encoding=json&message=%ff", "message is not percent-encoded UTF-8"],
  ])("%s", (_, query, problem) => {
    expect(readConnectGet(query)).toMatchObject({ ok: false, problem });
  });
});
