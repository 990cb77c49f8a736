import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Entry, end, header, padding } from "./tar.ts";

function unpacked(entries: readonly (readonly [Entry, string])[]): string {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-tar-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const parts = entries.flatMap(([entry, text]) => [
    header(entry),
    Buffer.from(text),
    padding(Buffer.byteLength(text)),
  ]);
  writeFileSync(join(directory, "archive.tar"), Buffer.concat([...parts, end]));
  execFileSync("tar", ["-xpf", "archive.tar"], { cwd: directory });
  return directory;
}

const file = (path: string, text: string, mode = 0o644): readonly [Entry, string] => [
  { kind: "file", path, mode, bytes: Buffer.byteLength(text) },
  text,
];

test("tar(1) reads files with their modes, directories and links", () => {
  const directory = unpacked([
    [{ kind: "directory", path: "bin", mode: 0o755 }, ""],
    file("bin/sh", "#!", 0o755),
    [{ kind: "link", path: "sh", target: "bin/sh" }, ""],
    file("empty", ""),
  ]);
  expect(readFileSync(join(directory, "sh"), "utf8")).toBe("#!");
  expect(readlinkSync(join(directory, "sh"))).toBe("bin/sh");
  expect(statSync(join(directory, "bin/sh")).mode & 0o777).toBe(0o755);
  expect(statSync(join(directory, "empty")).size).toBe(0);
});

test.each([99, 100, 101, 126, 140, 240])("tar(1) reads a path of %i bytes", (bytes) => {
  const path = `${"d".repeat(50)}/${"f".repeat(bytes - 51)}`;
  const directory = unpacked([file(path, "deep"), [{ kind: "link", path: "to", target: path }, ""]]);
  expect(readFileSync(join(directory, path), "utf8")).toBe("deep");
  expect(readlinkSync(join(directory, "to"))).toBe(path);
});

test("a name beyond ASCII and contents of exactly one block", () => {
  const directory = unpacked([file("größe", "x".repeat(512)), file("after", "y")]);
  expect(readFileSync(join(directory, "größe"), "utf8")).toHaveLength(512);
  expect(readFileSync(join(directory, "after"), "utf8")).toBe("y");
});
