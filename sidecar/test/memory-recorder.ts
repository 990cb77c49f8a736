import type { RecordBody } from "@hedgerow/ledger";
import type { AuditLedger } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { FailMode } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { OutputDigests } from "../src/ledger/outcomes/output-digests.ts";
import type { OutcomeLedger } from "../src/ledger/outcomes/tail.ts";
import type { OpenedRecorder, Recorder, RecorderStats } from "../src/ledger/recorder.ts";

/** A ledger in memory, which fails as it is told. */
export class MemoryRecorder implements Recorder {
  readonly records: RecordBody[] = [];
  readonly misses: string[] = [];
  readonly digestKey: Buffer = Buffer.from("digest key");
  readonly outputs: OutputDigests = new OutputDigests();
  readonly outcomes: OutcomeLedger = {
    append: async (body) => await this.record(body),
    hasLine: () => false,
    missed: (code) => this.missed(code),
    settled: async () => await Promise.resolve(),
    envoyEnded: async () => await Promise.resolve(),
  };
  config: AuditLedger;
  region: string;
  /** Code of the error that every record gets. */
  failure: string | undefined;
  /** What an update answers. */
  problems: readonly string[] = [];
  updates = 0;
  closed = false;

  constructor(config: AuditLedger, region = "") {
    this.config = config;
    this.region = region;
  }

  get policy(): string {
    return this.config.name;
  }

  get failMode(): "closed" | "open" {
    return this.config.failMode === FailMode.OPEN ? "open" : "closed";
  }

  async record(body: RecordBody): Promise<void> {
    await Promise.resolve();
    if (this.failure !== undefined) throw Object.assign(new Error("told to fail"), { code: this.failure });
    this.records.push(body);
  }

  missed(code: string): void {
    this.misses.push(code);
  }

  payloadFor(): string | undefined {
    return undefined;
  }

  update(config: AuditLedger, region: string): Promise<readonly string[]> {
    this.updates += 1;
    if (this.problems.length === 0) {
      this.config = config;
      this.region = region;
    }
    return Promise.resolve(this.problems);
  }

  useCredentials(): void {
    // It makes no checkpoints.
  }

  stats(): RecorderStats {
    const { policy, records, misses } = this;
    return { policy, records: records.length, failures: 0, missed: misses.length, pending: 0, segments: 1, sinks: [] };
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Opens ledgers in memory, and remembers them; `problems` by ledger stand in the way. */
export class MemoryLedgers {
  readonly opened: Map<string, MemoryRecorder> = new Map();
  readonly problems: Map<string, string> = new Map();

  readonly open = (ledger: AuditLedger, region: string): Promise<OpenedRecorder> => {
    const problem = this.problems.get(ledger.name);
    if (problem !== undefined) return Promise.resolve({ ok: false, problems: [problem] });
    const recorder = new MemoryRecorder(ledger, region);
    this.opened.set(ledger.name, recorder);
    return Promise.resolve({ ok: true, value: recorder });
  };
}
