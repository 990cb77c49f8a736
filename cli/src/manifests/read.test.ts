import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readManifests } from "./read.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "hedgerow-cli-"));
  for (const directory of ["tree/deep/er", "tree/.git", "tree/node_modules/x", "empty", "broken"])
    mkdirSync(join(root, directory), { recursive: true });
  for (const file of [
    "b.yaml",
    "a.yml",
    "deep/er/c.yaml",
    "notes.txt",
    ".git/d.yaml",
    "node_modules/x/e.yaml",
    ".f.yaml",
  ])
    writeFileSync(join(root, "tree", file), `# ${file}\n`);
  symlinkSync("../tree/notes.txt", join(root, "tree/linked.yaml"));
  symlinkSync("../tree", join(root, "tree/deep/up"));
  symlinkSync("nowhere", join(root, "tree/broken"));
  mkdirSync(join(root, "elsewhere"));
  writeFileSync(join(root, "elsewhere/g.yaml"), "# g.yaml\n");
  symlinkSync("../elsewhere", join(root, "tree/b"));
  symlinkSync("nowhere", join(root, "broken/broken.yaml"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const names = async (...paths: string[]) => {
  const files = await readManifests(
    paths.map((path) => (path === "-" ? path : join(root, path))),
    () => Promise.resolve("# stdin\n"),
  );
  return files.map(({ file, text }) => [file.replace(`${root}/`, ""), text.trim()]);
};

describe("readManifests", () => {
  it("reads directories to any depth, through links, by name, without what is hidden or no YAML", async () => {
    expect(await names("tree")).toEqual([
      ["tree/a.yml", "# a.yml"],
      ["tree/b/g.yaml", "# g.yaml"],
      ["tree/b.yaml", "# b.yaml"],
      ["tree/deep/er/c.yaml", "# deep/er/c.yaml"],
      ["tree/linked.yaml", "# notes.txt"],
    ]);
  });

  it("reads files under any name, and standard input, in the order given, each once", async () => {
    expect(await names("tree/notes.txt", "-", "tree/deep/er", "tree/notes.txt", "tree/deep/er/")).toEqual([
      ["tree/notes.txt", "# notes.txt"],
      ["<stdin>", "# stdin"],
      ["tree/deep/er/c.yaml", "# deep/er/c.yaml"],
    ]);
  });

  it.each([
    ["a path that is not there", "absent.yaml", /^could not read .*absent\.yaml: no such file or directory$/],
    ["a link that leads nowhere", "broken", /^could not read .*broken\.yaml: no such file or directory$/],
    ["a directory without manifests", "empty", /^no \*\.yaml or \*\.yml in .*empty: name the manifests' directory$/],
  ])("refuses %s", async (_case, path, message) => {
    await expect(names(path)).rejects.toThrow(message);
    await expect(names(path)).rejects.toMatchObject({ code: "usage" });
  });
});
