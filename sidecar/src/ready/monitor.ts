import { connect } from "node:net";
import type { WorkloadConfig } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { EnvoyAdmin } from "../envoy/admin.ts";
import type { Logger } from "../logger.ts";
import { pause } from "../pause.ts";
import { assess, assessProxy, type Observation, type Readiness, ReadinessTracker } from "./readiness.ts";

const UNREADY_INTERVAL_MS = 1_000;
const READY_INTERVAL_MS = 2_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** Between looks that are asked for, so that a burst of acknowledgements is one look. */
const LEAST_INTERVAL_MS = 50;

/** Looks at Envoy and the application, every second until ready, then every other. */
export class ReadinessMonitor {
  readonly #admin: EnvoyAdmin;
  readonly #svidValid: () => boolean;
  readonly #onChange: (readiness: Readiness) => void;
  readonly #logger: Logger;
  readonly #tracker = new ReadinessTracker();
  #workloadConfig: WorkloadConfig | undefined;
  #started = false;
  #look: () => void = () => undefined;

  constructor(options: {
    readonly admin: EnvoyAdmin;
    readonly svidValid: () => boolean;
    readonly onChange: (readiness: Readiness) => void;
    readonly logger: Logger;
  }) {
    this.#admin = options.admin;
    this.#svidValid = options.svidValid;
    this.#onChange = options.onChange;
    this.#logger = options.logger;
  }

  get current(): Readiness {
    return this.#tracker.current;
  }

  /** The proxy has been able to take traffic at least once. */
  get started(): boolean {
    return this.#started;
  }

  useConfig(config: WorkloadConfig): void {
    this.#workloadConfig = config;
    this.lookNow();
  }

  /** Something changed that may have made the workload ready. */
  lookNow(): void {
    if (!this.#tracker.current.ready) this.#look();
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const observation = await this.#observe();
      this.#started ||= assessProxy(observation).ready;
      this.#take(assess(observation), signal);
      const woken = new AbortController();
      this.#look = () => woken.abort();
      const intervalMs = this.#tracker.current.ready ? READY_INTERVAL_MS : UNREADY_INTERVAL_MS;
      await pause(LEAST_INTERVAL_MS, signal);
      await pause(intervalMs - LEAST_INTERVAL_MS, AbortSignal.any([signal, woken.signal]));
    }
  }

  #take(readiness: Readiness, signal: AbortSignal): void {
    // Aborted while looking: what is said last is the drain's to say.
    if (signal.aborted || !this.#tracker.observe(readiness)) return;
    this.#logger.info(readiness, "Readiness changed");
    this.#onChange(readiness);
  }

  async #observe(): Promise<Observation> {
    const appPorts = [...new Set(this.#workloadConfig?.inbound.map(({ appPort }) => appPort))];
    const [envoy, ...accepting] = await Promise.all([this.#observeEnvoy(), ...appPorts.map(acceptsConnections)]);
    return {
      svidValid: this.#svidValid(),
      workloadConfig: this.#workloadConfig,
      envoy,
      closedAppPorts: appPorts.filter((_, index) => accepting[index] !== true),
    };
  }

  async #observeEnvoy(): Promise<Observation["envoy"]> {
    try {
      const [live, listeners] = await Promise.all([this.#admin.isLive(), this.#admin.activeListeners()]);
      return { live, listeners };
    } catch {
      // Starting, restarting or stuck: not ready, whatever the reason, which the owner of the process logs.
      return undefined;
    }
  }
}

/** Whether 127.0.0.1:port accepts a TCP connection within a second. */
async function acceptsConnections(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: "127.0.0.1", port, timeout: CONNECT_TIMEOUT_MS });
  socket.once("connect", () => resolve(true));
  socket.once("timeout", () => resolve(false));
  socket.once("error", () => resolve(false));
  const accepted = await promise;
  socket.destroy();
  return accepted;
}
