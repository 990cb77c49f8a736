import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scanRepository } from "./scan-repository.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "hedgerow-repository-"));
});
afterEach(async () => await rm(root, { recursive: true }));

async function write(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), path);
  }
}
const scan = async () => {
  const result = await scanRepository(root);
  return result.ok ? result.models.map(({ name, version }) => `${name}/${version}`) : result.problems.map(shown);
};
const shown = (problem: string) => problem.replaceAll(root, "ROOT");

test("empty", async () => {
  expect(await scan()).toEqual(["ROOT: holds no model"]);
});

test("a device in a model's place is not waited for", async () => {
  await mkdir(join(root, "a/1"), { recursive: true });
  await symlink("/dev/zero", join(root, "a/1/model.onnx"));
  expect(await scan()).toEqual(["ROOT/a/1/model.onnx: can't be read: it is no regular file"]);
});

test("no such directory", async () => {
  const result = await scanRepository(join(root, "absent"));
  expect(result.ok ? [] : result.problems.map(shown)).toEqual([
    expect.stringMatching(/^ROOT\/absent: can't be read: ENOENT/),
  ]);
});

test("models by name and version, with their digest; files and hidden entries beside them are left alone", async () => {
  await write(
    "b/10/model.onnx",
    "b/9/model.onnx",
    "a/1/model.onnx",
    "a/1/labels.txt",
    "a/README.md",
    "README",
    ".git/x/y",
  );
  expect(await scan()).toEqual(["a/1", "b/9", "b/10"]);
  const result = await scanRepository(root);
  expect(result.ok && result.models[0]).toEqual({
    name: "a",
    version: "1",
    path: join(root, "a/1/model.onnx"),
    // printf a/1/model.onnx | sha256sum
    sha256: "e1fe7deedaa1d7a6573bd1e6a9531bcf85194b42432a5f601ff03397075805f7",
  });
});

test("symbolic links are followed, as mounted volumes need it", async () => {
  await write(".data/1/model.onnx");
  await symlink(".data", join(root, "a"));
  expect(await scan()).toEqual(["a/1"]);
});

test("every problem at once, by path", async () => {
  await write(
    "a/1/weights.bin",
    "a/v2/model.onnx",
    "a/03/model.onnx",
    "bad name/1/model.onnx",
    "c/README.md",
    "good/1/model.onnx",
  );
  expect(await scan()).toEqual([
    expect.stringMatching(/^ROOT\/a\/1\/model\.onnx: can't be read: ENOENT/),
    "ROOT/a/03: a version is a positive integer of up to 9 digits",
    "ROOT/a/v2: a version is a positive integer of up to 9 digits",
    'ROOT/bad name: a model\'s name has up to 128 letters, digits, ".", "_" and "-"',
    "ROOT/c: has no directory of a version",
  ]);
});
