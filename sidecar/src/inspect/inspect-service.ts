import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config.ts";
import type { Svid } from "../identity/svid.ts";
import { openRecorder, type RecorderStats } from "../ledger/recorder.ts";
import type { Logger } from "../logger.ts";
import type { InspectMetrics } from "../metrics/inspect-families.ts";
import type { InspectionChange } from "../relay/session.ts";
import { decisionIds } from "./decision-id.ts";
import { Inspection, type Problems } from "./inspection.ts";
import { Inspector } from "./inspector.ts";
import { volatileMount } from "./mount.ts";
import { InspectServer } from "./server.ts";

/** Name in the run directory. */
const KEPT_CONFIG = "inspection.binpb";

/** The agent's part in requests: the server that Envoy asks, what it decides by, and the ledgers that it writes. */
export class InspectService {
  readonly #inspection: Inspection;
  readonly #inspector: Inspector;
  readonly #server: InspectServer;
  readonly #auditDirectory: string;
  readonly #logger: Logger;
  #spiffeId: string | undefined;
  #appliedLate: () => void = () => undefined;
  #warned = false;

  constructor(
    config: Pick<Config, "auditDirectory" | "inspectBytes" | "meshAddress" | "runDirectory" | "secretsDirectory">,
    deps: {
      readonly nodeId: string;
      readonly socketPath: string;
      readonly now: () => number;
      readonly random: () => number;
      readonly logger: Logger;
    },
  ) {
    this.#auditDirectory = config.auditDirectory;
    this.#logger = deps.logger;
    const { nodeId, now, random, logger } = deps;
    this.#inspection = new Inspection({
      path: join(config.runDirectory, KEPT_CONFIG),
      open: async (ledger, region) =>
        await openRecorder(ledger, {
          directory: config.auditDirectory,
          secretsDirectory: config.secretsDirectory,
          identity: { nodeId, spiffeId: this.#spiffeId },
          region,
          meshAddress: config.meshAddress,
          now,
          random,
          logger,
        }),
      appliedLate: () => this.#appliedLate(),
      logger,
    });
    this.#inspector = new Inspector({
      portOf: (port) => this.#inspection.portOf(port),
      drawId: decisionIds(),
      now,
      logger,
    });
    this.#server = new InspectServer({
      socketPath: deps.socketPath,
      maxBytes: config.inspectBytes,
      answerer: this.#inspector,
      logger,
    });
  }

  /** Of the InspectionConfig in force. */
  get version(): string | undefined {
    return this.#inspection.version;
  }

  /** Answers, by what the agent before this one knew. */
  async start(): Promise<void> {
    await this.#inspection.load();
    await this.#server.start();
    this.#warnIfVolatile();
  }

  /** Called when a configuration that had been refused is in force after all. */
  onAppliedLate(listener: () => void): void {
    this.#appliedLate = listener;
  }

  useCredentials(svid: Svid): void {
    this.#spiffeId = svid.spiffeId;
    this.#inspection.useCredentials(svid);
  }

  async change(change: InspectionChange): Promise<Problems> {
    if (change.kind === "removed") {
      await this.#inspection.remove();
      return [];
    }
    const problems = await this.#inspection.apply(change.resource.encoded);
    this.#warnIfVolatile();
    return problems;
  }

  metrics(): InspectMetrics {
    const ledgers = [...this.#inspection.recorders].map((recorder) => recorder.stats());
    return { ...this.#inspector.counts, bytes: this.#server.bytes, ledgers, volatile: this.#isVolatile(ledgers) };
  }

  /** Once Envoy has ended: what it logged last is recorded, then the ledgers are closed. */
  async stop(): Promise<void> {
    this.#server.stop();
    await this.#inspection.close();
  }

  #isVolatile(ledgers: readonly RecorderStats[]): boolean {
    const alone = ledgers.some(({ sinks }) => !sinks.some(({ required }) => required));
    return alone && this.#volatile() !== undefined;
  }

  #volatile(): string | undefined {
    try {
      return volatileMount(readFileSync("/proc/self/mountinfo", "utf8"), this.#auditDirectory);
    } catch {
      // Without /proc nothing is known against it.
      return undefined;
    }
  }

  #warnIfVolatile(): void {
    if (this.#warned || !this.metrics().volatile) return;
    this.#warned = true;
    this.#logger.warn(
      { directory: this.#auditDirectory, lies_on: this.#volatile() },
      "The audit ledger does not outlive this machine or pod, and no required sink has it",
    );
  }
}
