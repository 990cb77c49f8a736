import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KEY_BYTES } from "./secrets.ts";

/** The ledger's own key for digests, where the policy names none: `digest.key` beside it, made once. Throws where neither can be. */
export async function ownDigestKey(directory: string): Promise<Buffer> {
  const path = join(directory, "digest.key");
  const found = await readFile(path).catch(() => undefined);
  if (found !== undefined) {
    if (found.length !== KEY_BYTES) throw new Error(`${path} has ${found.length} bytes, expected ${KEY_BYTES}`);
    return found;
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const key = randomBytes(KEY_BYTES);
  await writeFile(`${path}.new`, key, { mode: 0o600, flush: true });
  try {
    // Not renamed: a key that is there already is never replaced.
    await link(`${path}.new`, path);
  } finally {
    await rm(`${path}.new`, { force: true });
  }
  return key;
}
