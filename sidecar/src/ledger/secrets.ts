import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.ts";

/** As Kubernetes names secrets and the keys in them, so that no name leads out of the directory. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const MAX_BYTES = 64 * 1024;
export const KEY_BYTES = 32;

export type SecretRead<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string };

/** Secrets as files: KEY of the secret NAME is DIRECTORY/NAME/KEY, as kubelet mounts them. Nothing of them is in any message. */
export class Secrets {
  readonly #directory: string | undefined;

  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  async read(name: string, key: string): Promise<SecretRead<Buffer>> {
    const wrong = (problem: string) => ({ ok: false as const, problem: `secret ${name}: ${problem}` });
    if (!NAME.test(name) || name.includes("..")) return wrong("its name is none");
    if (this.#directory === undefined) return wrong("HEDGEROW_SECRETS is not set");
    const path = join(this.#directory, name, key);
    try {
      const value = await readFile(path);
      if (value.length === 0 || value.length > MAX_BYTES) return wrong(`${path} has ${value.length} bytes`);
      return { ok: true, value };
    } catch (error) {
      return wrong(messageOf(error));
    }
  }

  /** Text without blanks around it. */
  async text(name: string, key: string): Promise<SecretRead<string>> {
    const read = await this.read(name, key);
    return read.ok ? { ok: true, value: read.value.toString("utf8").trim() } : read;
  }

  /** 32 bytes, or those in base64 or hexadecimal. */
  async key(name: string, key = "key"): Promise<SecretRead<Buffer>> {
    const read = await this.read(name, key);
    if (!read.ok) return read;
    const value = parseKey(read.value);
    if (value !== undefined) return { ok: true, value };
    const problem = `secret ${name}: ${key} is no key of ${KEY_BYTES} bytes, as it is, in base64 or in hexadecimal`;
    return { ok: false, problem };
  }
}

function parseKey(bytes: Buffer): Buffer | undefined {
  if (bytes.length === KEY_BYTES) return bytes;
  const text = bytes.toString("latin1").trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, "hex");
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, "base64") : undefined;
}
