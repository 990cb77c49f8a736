import { execFile } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createKeyMaterial, readKeyMaterial } from "./key-store.ts";

let dir: string;
const file = () => join(dir, "ca.pem");
const create = () => createKeyMaterial(dir, "bank.example", Date.now());

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-keys-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("the key of the authority", () => {
  test("empty directory: there is none", async () => {
    expect(await readKeyMaterial(dir)).toBeUndefined();
  });

  test("is created once, for its owner alone, and read again", async () => {
    const { root, trustDomain } = await create();
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir).toSorted()).toEqual(["ca.pem", "root.pem"]);
    const again = await createKeyMaterial(dir, "other.example", Date.now());
    expect([again.root.fingerprint256, again.trustDomain]).toEqual([root.fingerprint256, trustDomain]);
  });

  test("processes that create it at once end with the same", async () => {
    const module = JSON.stringify(join(import.meta.dirname, "key-store.ts"));
    const script = `import { createKeyMaterial } from ${module};
      const { root } = await createKeyMaterial(${JSON.stringify(dir)}, "bank.example", Date.now());
      process.stdout.write(root.fingerprint256);`;
    const run = () => promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    const outputs = await Promise.all([run(), run(), run(), run()]);
    expect(new Set(outputs.map(({ stdout }) => stdout))).toEqual(
      new Set([(await readKeyMaterial(dir))?.root.fingerprint256]),
    );
    expect(readdirSync(dir).toSorted()).toEqual(["ca.pem", "root.pem"]);
  });

  test("that was lost is not replaced by another", async () => {
    await create();
    rmSync(file());
    await expect(readKeyMaterial(dir)).rejects.toMatchObject({ code: "CA_KEY_MISSING" });
    await expect(create()).rejects.toMatchObject({ code: "CA_KEY_MISSING" });
    expect(readdirSync(dir)).toEqual(["root.pem"]);
  });

  test("of a state that knows no root yet gets one", async () => {
    await create();
    rmSync(join(dir, "root.pem"));
    await readKeyMaterial(dir);
    expect(readdirSync(dir).toSorted()).toEqual(["ca.pem", "root.pem"]);
  });

  test("in a file that others may open is refused", async () => {
    await create();
    chmodSync(file(), 0o644);
    await expect(create()).rejects.toMatchObject({
      code: "FILE_EXPOSED",
      message: expect.stringContaining("mode 644"),
    });
  });

  test("behind a symbolic link is refused", async () => {
    await create();
    renameSync(file(), join(dir, "elsewhere.pem"));
    symlinkSync("elsewhere.pem", file());
    await expect(readKeyMaterial(dir)).rejects.toMatchObject({ code: "FILE_EXPOSED" });
  });

  test.each([
    ["empty", () => ""],
    ["cut", (pem: string) => pem.slice(0, -40)],
    ["only a key", (pem: string) => pem.slice(0, pem.indexOf("-----BEGIN CERT"))],
    ["with a byte changed in the key", (pem: string) => pem.replace(/\n(.{20})./, "\n$1*")],
    ["followed by something", (pem: string) => `${pem}x`],
    ["twice the same", (pem: string) => pem + pem],
  ])("%s is refused, and never replaced", async (_, damage) => {
    await create();
    const damaged = damage(readFileSync(file(), "utf8"));
    writeFileSync(file(), damaged);
    await expect(readKeyMaterial(dir)).rejects.toMatchObject({ code: "CA_KEY_CORRUPT" });
    await expect(create()).rejects.toMatchObject({ code: "CA_KEY_CORRUPT" });
    expect(readFileSync(file(), "utf8")).toBe(damaged);
  });

  test("with the root of another key is refused", async () => {
    await create();
    const other = mkdtempSync(join(tmpdir(), "hedgerow-keys-"));
    await createKeyMaterial(other, "bank.example", Date.now());
    const [key, root] = [file(), join(other, "ca.pem")].map((path) =>
      readFileSync(path, "utf8").split("-----BEGIN CERT"),
    );
    rmSync(other, { recursive: true });
    writeFileSync(file(), `${key?.[0]}-----BEGIN CERT${root?.[1]}`);
    await expect(readKeyMaterial(dir)).rejects.toMatchObject({
      code: "CA_KEY_CORRUPT",
      message: expect.stringContaining("not the key's"),
    });
  });
});
