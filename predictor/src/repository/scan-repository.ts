import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import type { ModelFile } from "../worker/messages.ts";

export type RepositoryResult =
  | { readonly ok: true; readonly models: readonly ModelFile[] }
  | { readonly ok: false; readonly problems: readonly string[] };

const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const VERSION = /^[1-9][0-9]{0,8}$/;

/**
 * Every DIRECTORY/NAME/VERSION/model.onnx with its digest, by name and version; or every problem, each naming its path.
 * Plain files beside models and versions are left alone (a README), and so are hidden entries and `lost+found`.
 */
export async function scanRepository(directory: string): Promise<RepositoryResult> {
  const models: ModelFile[] = [];
  const problems: string[] = [];
  for (const name of await directories(directory, problems)) {
    const modelDirectory = join(directory, name);
    if (!MODEL_NAME.test(name)) {
      problems.push(`${modelDirectory}: a model's name has up to 128 letters, digits, ".", "_" and "-"`);
      continue;
    }
    const versions = await directories(modelDirectory, problems);
    if (versions.length === 0) problems.push(`${modelDirectory}: has no directory of a version`);
    for (const version of versions.toSorted((a, b) => Number(a) - Number(b))) {
      const path = join(modelDirectory, version, "model.onnx");
      if (!VERSION.test(version)) {
        problems.push(`${join(modelDirectory, version)}: a version is a positive integer of up to 9 digits`);
        continue;
      }
      try {
        models.push({ name, version, path, sha256: await digestOf(path) });
      } catch (error) {
        problems.push(`${path}: can't be read: ${messageOf(error)}`);
      }
    }
  }
  if (models.length === 0 && problems.length === 0) problems.push(`${directory}: holds no model`);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, models };
}

async function directories(parent: string, problems: string[]): Promise<readonly string[]> {
  try {
    const names = (await readdir(parent)).filter((name) => !name.startsWith(".") && name !== "lost+found").toSorted();
    // Mounted volumes hold symbolic links to directories: ask what stands behind.
    const isDirectory = await Promise.all(names.map(async (name) => (await stat(join(parent, name))).isDirectory()));
    return names.filter((_, index) => isDirectory[index]);
  } catch (error) {
    problems.push(`${parent}: can't be read: ${messageOf(error)}`);
    return [];
  }
}

async function digestOf(path: string): Promise<string> {
  // A pipe or a device would keep the start waiting for its end.
  if (!(await stat(path)).isFile()) throw new Error("it is no regular file");
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
