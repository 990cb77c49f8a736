import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { refusedLicences } from "./check.ts";
import { isMetBy } from "./expression.ts";

const allowed = new Set(["MIT", "ISC", "BSD-3-Clause"]);

describe("a licence expression", () => {
  test.each([
    ["MIT", true],
    ["GPL-3.0-only", false],
    ["(BSD-3-Clause OR GPL-2.0)", true],
    ["GPL-2.0 OR (ISC AND MIT)", true],
    ["MIT AND GPL-2.0", false],
    ["MIT OR MIT AND GPL-2.0", true],
    ["(MIT OR GPL-2.0) AND GPL-2.0", false],
    ["", false],
    ["(MIT", false],
    ["MIT OR", false],
    ["MIT ISC", false],
    ["MIT OR GPL-2.0 WITH", false],
    ["SEE LICENSE IN LICENSE", false],
  ])("%j is met: %s", (expression, expected) => {
    expect(isMetBy(expression, allowed)).toBe(expected);
  });
});

const lockfile = (packages: object) => JSON.stringify({ lockfileVersion: 3, packages }, null, 2);

describe("the lockfile", () => {
  test("shipped packages with another licence, or with none, are named with their line", () => {
    const text = lockfile({
      "": { license: "UNLICENSED" },
      cli: { license: "UNLICENSED" },
      "node_modules/@hedgerow/cli": { link: true },
      "node_modules/free": { version: "1.0.0", license: "MIT" },
      "node_modules/copyleft": { version: "2.0.0", license: "GPL-3.0-only" },
      "cli/node_modules/free/node_modules/@x/silent": { version: "3.0.0" },
      "node_modules/only-for-us": { version: "4.0.0", license: "GPL-3.0-only", dev: true },
    });
    expect(refusedLicences(text, allowed)).toMatchObject([
      { line: 17, why: expect.stringContaining("copyleft 2.0.0 has the licence GPL-3.0-only") },
      { line: 21, why: expect.stringContaining("@x/silent 3.0.0 has the licence (none stated)") },
    ]);
  });

  test("ours is read: with no licence allowed, every shipped package is named", () => {
    const text = readFileSync(resolve(import.meta.dirname, "../../../package-lock.json"), "utf8");
    const named = refusedLicences(text, new Set()).map(({ why }) => why.split(" ")[0]);
    expect(named).toEqual(expect.arrayContaining(["@grpc/grpc-js", "onnxruntime-node", "zod"]));
    expect(named).not.toContain("vitest");
  });

  test("another version of the format is refused", () => {
    expect(() => refusedLicences('{"lockfileVersion":2,"packages":{}}', allowed)).toThrow("lockfileVersion");
  });
});
