// The key's place in a cluster: the Secret `hedgerow-ca`, created once and never changed.
import { z } from "zod";
import { type KeyMaterial, type KeyStore, keyPem, newKeyPem, parseKeyPem } from "../ca/key-material.ts";
import { ControlPlaneError, messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { type KubernetesClient, KubernetesError } from "./client.ts";
import { pause } from "./pause.ts";

export const CA_SECRET = "hedgerow-ca";
const KEY = "ca.pem";
/** How long the Secret may be gone, or another's, unnoticed. */
const LOOK_MS = 10_000;
const RETRY_MS = 2_000;

const secret = z.looseObject({ data: z.record(z.string(), z.string()).default({}) });

export interface SecretKeyStoreDeps {
  readonly client: Pick<KubernetesClient, "request">;
  /** Of the control plane's own pod. */
  readonly namespace: string;
  /** Unix ms. */
  readonly now: () => number;
  /** Whether another replica serves: it has the key in memory, and a Secret that is not there was deleted. */
  readonly othersServe: () => boolean;
  readonly logger: Logger;
  /** Ends every wait. */
  readonly signal: AbortSignal;
}

/**
 * `read` and `create` wait for an API server that can't be asked, or refuses, as long as it takes: each failure is logged.
 * Error CA_KEY_CORRUPT: the Secret holds anything else than a key and its root.
 */
export class SecretKeyStore implements KeyStore {
  readonly #deps: SecretKeyStoreDeps;
  readonly #collection: string;
  readonly #where: string;

  constructor(deps: SecretKeyStoreDeps) {
    this.#deps = deps;
    this.#collection = `/api/v1/namespaces/${deps.namespace}/secrets`;
    this.#where = `${KEY} of Secret ${deps.namespace}/${CA_SECRET}`;
  }

  read(): Promise<KeyMaterial | undefined> {
    return this.#patiently("Failed to read the CA key", () => this.#get());
  }

  /** While another replica serves, the Secret was deleted under it: waits until that one has written it back. */
  create(trustDomain: string): Promise<KeyMaterial> {
    return this.#patiently("Failed to create the CA key", async () => {
      const present = await this.#get();
      if (present !== undefined) return present;
      if (this.#deps.othersServe())
        throw new ControlPlaneError(
          "CA_SECRET_MISSING",
          `another replica serves with a key, yet there is no ${CA_SECRET}`,
        );
      await this.#post(newKeyPem(trustDomain, this.#deps.now()));
      const material = await this.#get();
      if (material === undefined)
        throw new ControlPlaneError("CA_SECRET_MISSING", `${CA_SECRET} vanished as it was made`);
      return material;
    });
  }

  /**
   * Looks after the Secret of the key in use, until the signal. Where it is gone it is written back, so that nobody makes a
   * second key; where it is another's, the key in use stays in use and every look says so.
   */
  async keep(material: KeyMaterial): Promise<void> {
    const { logger, signal } = this.#deps;
    while (await pause(LOOK_MS, signal)) {
      try {
        const present = await this.#get();
        if (present === undefined) {
          logger.error({ secret: this.#where }, "CA key was deleted: serving with the copy in memory, writing it back");
          await this.#post(keyPem(material));
        } else if (present.root.fingerprint256 !== material.root.fingerprint256)
          logger.error(
            { secret: this.#where, root: present.root.fingerprint256, root_in_use: material.root.fingerprint256 },
            "CA key was replaced: serving with the copy in memory, restart every replica to take the new one",
          );
      } catch (error) {
        const isOurs = error instanceof ControlPlaneError && !(error instanceof KubernetesError);
        if (isOurs) logger.error({ err: error }, "CA key was damaged: serving with the copy in memory");
        else logger.debug({ err: error }, "Failed to look after the CA key");
      }
    }
  }

  async #get(): Promise<KeyMaterial | undefined> {
    try {
      const answer = await this.#deps.client.request("GET", `${this.#collection}/${CA_SECRET}`);
      const pem = secret.parse(answer).data[KEY];
      return parseKeyPem(this.#where, Buffer.from(pem ?? "", "base64").toString("utf8"));
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #post(pem: string): Promise<void> {
    const body = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: CA_SECRET, labels: { "app.kubernetes.io/part-of": "hedgerow" } },
      // Nobody changes it by accident; whoever means it deletes it.
      immutable: true,
      data: { [KEY]: Buffer.from(pem).toString("base64") },
    };
    try {
      await this.#deps.client.request("POST", this.#collection, { body });
    } catch (error) {
      // Somebody was faster.
      if (!(error instanceof KubernetesError && error.status === 409)) throw error;
    }
  }

  async #patiently<T>(failure: string, attempt: () => Promise<T>): Promise<T> {
    const { logger, signal } = this.#deps;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        if (error instanceof ControlPlaneError && error.code === "CA_KEY_CORRUPT") throw error;
        if (!signal.aborted) logger.warn({ secret: this.#where, cause: messageOf(error) }, failure);
        await pause(RETRY_MS, signal);
      }
    }
  }
}
