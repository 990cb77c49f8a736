import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { open, target } from "./dial.ts";
import { grpcHealth, isServing } from "./grpc-health.ts";
import { httpGet } from "./http-get.ts";
import type { Probe } from "./settings.ts";

/** What the kubelet is told. `silent`: by a connection that breaks, since it takes any answer to a hook for success. */
export type ProbeAnswer =
  | { readonly kind: "status"; readonly statusCode: number; readonly words: string }
  | { readonly kind: "silent" };

/** Asks the application in the kubelet's place, which can't reach it itself where only mTLS gets in. */
export class Prober {
  readonly #probes: ReadonlyMap<string, Probe>;
  readonly #podIp: string | undefined;
  readonly #logger: Logger;
  /**
   * The question that is being asked, by path: whoever asks the same meanwhile gets the same answer. So there is one for each
   * probe of the pod at most, however many strangers ask.
   */
  readonly #asking = new Map<string, Promise<ProbeAnswer>>();

  constructor(options: {
    /** By path, from the settings. */
    readonly probes: ReadonlyMap<string, Probe>;
    /** The pod's own address; 127.0.0.1 where it is not known. */
    readonly podIp: string | undefined;
    readonly logger: Logger;
  }) {
    this.#probes = options.probes;
    this.#podIp = options.podIp;
    this.#logger = options.logger;
  }

  /** How long an answer may take, milliseconds; undefined where there is no such probe. */
  timeoutMs(path: string): number | undefined {
    return this.#probes.get(path)?.timeoutMs;
  }

  /** Never rejects. Undefined where there is no such probe. */
  async ask(path: string, userAgent: string): Promise<ProbeAnswer | undefined> {
    const probe = this.#probes.get(path);
    if (probe === undefined) return undefined;
    const asked = this.#asking.get(path) ?? this.#begin(path, probe, userAgent);
    this.#asking.set(path, asked);
    return await asked;
  }

  async #begin(path: string, probe: Probe, userAgent: string): Promise<ProbeAnswer> {
    try {
      return await this.#run(probe, userAgent);
    } catch (error) {
      this.#logger.debug({ path, error: messageOf(error) }, "Application does not answer its probe");
      if (probe.hook) return { kind: "silent" };
      return { kind: "status", statusCode: 503, words: messageOf(error) };
    } finally {
      this.#asking.delete(path);
    }
  }

  async #run({ handler, timeoutMs, hook }: Probe, userAgent: string): Promise<ProbeAnswer> {
    const signal = AbortSignal.timeout(timeoutMs);
    const options = { podIp: this.#podIp, userAgent, signal };
    switch (handler.kind) {
      case "http_get": {
        const statusCode = await httpGet(handler, options);
        const well = statusCode >= 200 && statusCode < 400;
        // Its own status where it failed: the kubelet shows that in the pod's events.
        const shown = well || hook ? 200 : statusCode >= 400 ? statusCode : 503;
        return { kind: "status", statusCode: shown, words: `application answers ${statusCode}` };
      }
      case "tcp_socket": {
        (await open(target(handler.host, handler.port, this.#podIp), signal)).destroy();
        return { kind: "status", statusCode: 200, words: "application accepts connections" };
      }
      case "grpc": {
        const status = await grpcHealth(handler, options);
        return {
          kind: "status",
          statusCode: isServing(status) ? 200 : 503,
          words: `application answers serving status ${status}`,
        };
      }
    }
  }
}
