import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OUTCOME_LOG } from "@hedgerow/proto";
import type { Config } from "../config.ts";
import { messageOf } from "../errors.ts";
import type { Svid } from "../identity/svid.ts";
import { type OutcomeLedger, OutcomeTail } from "../ledger/outcomes/tail.ts";
import { openRecorder, type RecorderStats } from "../ledger/recorder.ts";
import type { Logger } from "../logger.ts";
import type { InspectMetrics } from "../metrics/inspect-families.ts";
import type { InspectionChange } from "../relay/session.ts";
import { decisionIds } from "./decision-id.ts";
import { Inspection, type Problems } from "./inspection.ts";
import { Inspector } from "./inspector.ts";
import { volatileMount } from "./mount.ts";
import { OutputService } from "./output-service.ts";
import { InspectServer } from "./server.ts";

/** Takes what no policy asks to record. */
const NOBODYS: OutcomeLedger = {
  append: () => Promise.resolve(),
  hasLine: () => false,
  missed: () => undefined,
  settled: () => Promise.resolve(),
  envoyEnded: () => Promise.resolve(),
};

/** Name in the run directory. */
const KEPT_CONFIG = "inspection.binpb";
/** Name in the directory of ledgers: how far Envoy's log is recorded. */
const LOG_POSITION = "envoy-outcomes.position.json";

/** The agent's part in requests: the server that Envoy asks, what it decides by, and the ledgers that it writes. */
export class InspectService {
  readonly #inspection: Inspection;
  readonly #inspector: Inspector;
  readonly #server: InspectServer;
  /** What Envoy shows answers to; on the agent's gRPC server. */
  readonly output: OutputService;
  readonly #outcomes: OutcomeTail;
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
      /** Envoy opens its log anew. */
      readonly reopenLogs: () => Promise<void>;
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
      appliedLate: () => {
        this.#followOutcomes();
        this.#appliedLate();
      },
      logger,
    });
    this.#inspector = new Inspector({
      portOf: (port) => this.#inspection.portOf(port),
      drawId: decisionIds(),
      now,
      logger,
    });
    this.#outcomes = new OutcomeTail({
      path: join(config.runDirectory, OUTCOME_LOG),
      positionPath: join(config.auditDirectory, LOG_POSITION),
      reopen: deps.reopenLogs,
      ledgers: {
        find: ({ ledger, port }) => {
          const { recorders } = this.#inspection;
          if (recorders.size === 0) return NOBODYS;
          const recorder = ledger === undefined ? this.#inspection.portOf(port)?.recorder : recorders.get(ledger);
          return recorder?.outcomes;
        },
        all: () => [...this.#inspection.recorders.values()].map(({ outcomes }) => outcomes),
      },
      now,
      logger,
    });
    this.output = new OutputService(() => this.#inspection.recorders.values());
    this.#server = new InspectServer({
      socketPath: deps.socketPath,
      maxBytes: config.inspectBytes,
      answerer: this.#inspector,
      logger,
    });
  }

  /** Whatever Envoy was there has ended. */
  envoyEnded(): void {
    this.#outcomes.envoyEnded();
  }

  /** Of the InspectionConfig in force. */
  get version(): string | undefined {
    return this.#inspection.version;
  }

  /** Answers, by what the agent before this one knew. */
  async start(): Promise<void> {
    await this.#inspection.load();
    this.#followOutcomes();
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
    this.#followOutcomes();
    this.#warnIfVolatile();
    return problems;
  }

  metrics(): InspectMetrics {
    const ledgers = [...this.#inspection.recorders.values()].map((recorder) => recorder.stats());
    return { ...this.#inspector.counts, bytes: this.#server.bytes, ledgers, volatile: this.#isVolatile(ledgers) };
  }

  /** Once Envoy has ended: what it logged last is recorded, then the ledgers are closed. */
  async stop(): Promise<void> {
    this.#server.stop();
    await this.#outcomes.stop();
    await this.#inspection.close();
  }

  /** Not before the ledgers are there: a line that none takes is lost. Where nothing is recorded, lines are thrown away. */
  #followOutcomes(): void {
    if (this.version === undefined) return;
    try {
      mkdirSync(this.#auditDirectory, { recursive: true, mode: 0o700 });
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, "Could not make the directory of audit ledgers");
    }
    this.#outcomes.start();
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
