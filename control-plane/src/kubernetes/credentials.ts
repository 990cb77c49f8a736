import { readFile } from "node:fs/promises";
import type { KubernetesAccess, Material } from "./kubeconfig.ts";

/** What proves who we are, and whom we believe, as text. */
export interface CurrentCredentials {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

/** Kubernetes replaces a projected token when a fifth of its life is left: a minute is soon enough. */
const maxAgeMs = 60_000;

/** The credentials as they stand in their files, read again when they are a minute old. */
export class CredentialStore {
  readonly #access: Pick<KubernetesAccess, "ca" | "credentials">;
  readonly #nowMs: () => number;
  #current: Promise<CurrentCredentials> | undefined;
  #readAtMs = 0;

  constructor(access: Pick<KubernetesAccess, "ca" | "credentials">, nowMs: () => number = () => performance.now()) {
    this.#access = access;
    this.#nowMs = nowMs;
  }

  async read(): Promise<CurrentCredentials> {
    if (this.#current !== undefined && this.#nowMs() - this.#readAtMs < maxAgeMs) return this.#current;
    const current = readAll(this.#access);
    this.#current = current;
    this.#readAtMs = this.#nowMs();
    try {
      return await current;
    } catch (error) {
      // A file that is being replaced is there a moment later.
      if (this.#current === current) this.#current = undefined;
      throw error;
    }
  }

  /** The server refused them: a newer version may stand in the files. */
  forget(): void {
    this.#current = undefined;
  }
}

async function readAll({ ca, credentials }: Pick<KubernetesAccess, "ca" | "credentials">): Promise<CurrentCredentials> {
  const roots = ca === undefined ? {} : { ca: await read(ca) };
  switch (credentials.kind) {
    case "certificate":
      return { ...roots, cert: await read(credentials.certificate), key: await read(credentials.key) };
    case "token":
      return { ...roots, token: (await read(credentials.token)).trim() };
  }
}

async function read(material: Material): Promise<string> {
  return material.kind === "text" ? material.text : readFile(material.path, "utf8");
}
