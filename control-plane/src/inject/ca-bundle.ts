// The API server knows our webhooks by the roots in their configurations: we keep them there.
import { messageOf } from "../errors.ts";
import { type KubernetesClient, KubernetesError } from "../kubernetes/client.ts";
import type { Logger } from "../logger.ts";
import { fieldsOf, listOf } from "./shape.ts";

/** Default of `intervalMs`: how long a configuration that somebody replaced stays without our roots. */
const CHECK_MS = 10_000;
const GROUP = "/apis/admissionregistration.k8s.io/v1";
const kinds = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] as const;

export interface CaBundleDeps {
  readonly client: KubernetesClient;
  /** The configurations are hedgerow-REVISION. */
  readonly revision: string;
  /** PEM of every root that the serving certificate may hang on. Asked at each look. */
  readonly bundlePem: () => string;
  readonly logger: Logger;
  readonly intervalMs?: number;
}

/**
 * Compares the caBundle of both configurations with ours, at once and every `intervalMs`, and patches it where it differs.
 * Every replica does; they agree. A configuration that is not there, and an API server that does not answer, are tried again.
 */
export class CaBundleKeeper implements AsyncDisposable {
  readonly #deps: CaBundleDeps;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  /** By kind: what was last said, so that it is not said every time. */
  readonly #said = new Map<string, string>();
  #wake: () => void = () => {};

  constructor(deps: CaBundleDeps) {
    this.#deps = deps;
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      for (const kind of kinds) await this.#keep(kind);
      const timer = setTimeout(this.#wake, this.#deps.intervalMs ?? CHECK_MS);
      await woken;
      clearTimeout(timer);
    }
  }

  async #keep(kind: (typeof kinds)[number]): Promise<void> {
    const { client, revision, bundlePem, logger } = this.#deps;
    const path = `${GROUP}/${kind}/hedgerow-${revision}`;
    const { signal } = this.#stop;
    try {
      const configuration = await client.request("GET", path, { signal });
      const patch = caBundlePatch(configuration, bundlePem());
      if (patch.length > 0) {
        await client.request("PATCH", path, { body: patch, contentType: "application/json-patch+json", signal });
        logger.info({ kind, name: `hedgerow-${revision}` }, "CA bundle of the webhooks set");
      }
      this.#said.delete(kind);
    } catch (error) {
      if (signal.aborted) return;
      const reason =
        error instanceof KubernetesError && error.status === 404 ? "there is no such configuration" : messageOf(error);
      if (this.#said.get(kind) === reason) return;
      this.#said.set(kind, reason);
      logger.warn({ kind, name: `hedgerow-${revision}`, error: reason }, "Could not set the CA bundle of the webhooks");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#done;
  }
}

/** JSON Patch that gives every webhook of a configuration our bundle; empty where all have it. */
function caBundlePatch(configuration: unknown, bundlePem: string): readonly unknown[] {
  const value = Buffer.from(bundlePem).toString("base64");
  return listOf(fieldsOf(configuration)["webhooks"]).flatMap((webhook, index) => {
    const { name, clientConfig } = fieldsOf(webhook);
    if (fieldsOf(clientConfig)["caBundle"] === value) return [];
    const at = `/webhooks/${index}`;
    // Somebody may have put another in its place since.
    return [
      { op: "test", path: `${at}/name`, value: name },
      { op: "add", path: `${at}/clientConfig/caBundle`, value },
    ];
  });
}
