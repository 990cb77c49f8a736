import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { type AuditLedger, FailMode, InspectionConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { messageOf } from "../errors.ts";
import type { Svid } from "../identity/svid.ts";
import type { OpenedRecorder, Recorder } from "../ledger/recorder.ts";
import type { Logger } from "../logger.ts";
import type { ServedPort } from "./inspector.ts";
import { compileRules, type Inspected, type PortRules } from "./rules.ts";

/** How soon a configuration that could not be applied is tried again: a secret may have been mounted meanwhile. */
const RETRY_MS = 5_000;

/** Everything that is in the way of a configuration; empty: it is in force. */
export type Problems = readonly string[];

/** What is inspected: the configuration in force, its ledgers, and the file by which the next agent knows it. */
export class Inspection {
  readonly #path: string;
  readonly #open: (ledger: AuditLedger, region: string) => Promise<OpenedRecorder>;
  readonly #appliedLate: () => void;
  readonly #retryMs: number;
  readonly #logger: Logger;
  // What left the configuration stays: requests that Envoy routed by it may be under way.
  readonly #ports = new Map<number, ServedPort>();
  readonly #recorders = new Map<string, Recorder>();
  #inForce: Inspected = { ports: new Map(), ledgers: new Map(), region: "" };
  #version: string | undefined;
  #svid: Svid | undefined;
  /** What is tried again; undefined: all is in force. */
  #wanted: Uint8Array | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** The problems that the log has last: trying again is no news. */
  #told = "";
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: {
    /** Of inspection.binpb: the envoy.service.discovery.v3.Resource in force. */
    readonly path: string;
    readonly open: (ledger: AuditLedger, region: string) => Promise<OpenedRecorder>;
    /** A configuration that had been refused is in force now. */
    readonly appliedLate: () => void;
    /** How soon what could not be applied is tried again, milliseconds. */
    readonly retryMs?: number;
    readonly logger: Logger;
  }) {
    this.#path = options.path;
    this.#open = options.open;
    this.#appliedLate = options.appliedLate;
    this.#retryMs = options.retryMs ?? RETRY_MS;
    this.#logger = options.logger;
  }

  /** Of the configuration in force, as the control plane numbers it; undefined without one. */
  get version(): string | undefined {
    return this.#version;
  }

  /** Everything that was ever in force here: by the name of its AuditPolicy. */
  get recorders(): ReadonlyMap<string, Recorder> {
    return this.#recorders;
  }

  portOf(port: number): ServedPort | undefined {
    return this.#ports.get(port);
  }

  useCredentials(svid: Svid): void {
    this.#svid = svid;
    for (const recorder of this.#recorders.values()) recorder.useCredentials(svid);
  }

  /** Takes up what the agent before this one inspected by, so that it answers while the control plane is away. */
  async load(): Promise<void> {
    let encoded: Uint8Array;
    try {
      encoded = await readFile(this.#path);
    } catch {
      // Nothing was inspected here.
      return;
    }
    await this.#try(encoded);
  }

  /** Puts a configuration in force (an encoded envoy.service.discovery.v3.Resource), or says all that is in its way; then the former one stays. */
  async apply(encoded: Uint8Array): Promise<Problems> {
    return await this.#try(encoded);
  }

  /** Nothing is inspected any more; what was is still answered for. */
  async remove(): Promise<void> {
    this.#wanted = undefined;
    clearTimeout(this.#retry);
    await this.#inTurn(async () => {
      this.#version = undefined;
      await rm(this.#path, { force: true });
    });
  }

  /** Closes the ledgers. */
  async close(): Promise<void> {
    this.#wanted = undefined;
    clearTimeout(this.#retry);
    await this.#busy;
    this.#ports.clear();
    await Promise.all([...this.#recorders.values()].map(async (recorder) => await recorder.close()));
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#busy.then(work);
    // Whoever comes next waits for its end, not for its success.
    this.#busy = turn.catch(() => undefined);
    return await turn;
  }

  async #try(encoded: Uint8Array): Promise<Problems> {
    this.#wanted = encoded;
    clearTimeout(this.#retry);
    const problems = await this.#inTurn(async () => {
      const found = await this.#take(encoded);
      if (found.length === 0) await this.#keep(encoded);
      return found;
    }).catch((error: unknown) => [messageOf(error)]);
    if (problems.length === 0) return problems;
    if (problems.join() !== this.#told) this.#logger.error({ problems }, "Could not apply what is to be inspected");
    this.#told = problems.join();
    // Something else may have been asked for meanwhile.
    if (this.#wanted === encoded) {
      this.#retry = setTimeout(() => void this.#tryAgain(encoded), this.#retryMs);
      this.#retry.unref();
    }
    return problems;
  }

  async #tryAgain(encoded: Uint8Array): Promise<void> {
    if ((await this.#try(encoded)).length === 0 && this.#wanted === encoded) this.#appliedLate();
  }

  async #take(encoded: Uint8Array): Promise<Problems> {
    const read = decode(encoded);
    if (!read.ok) return read.problems;
    const { ports, ledgers, region } = read.value;
    const problems = await this.#useLedgers(read.value);
    // A port that was never served is better refused or let through, as its policy asks, than unknown.
    for (const rules of ports.values()) {
      if (problems.length === 0 || !this.#ports.has(rules.port)) this.#serve(rules, ledgers);
    }
    if (problems.length > 0) return problems;
    this.#inForce = { ports, ledgers, region };
    this.#version = read.version;
    this.#told = "";
    this.#logger.info({ version_info: read.version, ports: ports.size, ledgers: ledgers.size }, "Inspecting");
    return [];
  }

  #serve(rules: PortRules, ledgers: Inspected["ledgers"]): void {
    const failMode = ledgers.get(rules.ledger)?.failMode === FailMode.OPEN ? "open" : "closed";
    this.#ports.set(rules.port, { rules, recorder: this.#recorders.get(rules.ledger), failMode });
  }

  /** Opens ledgers and changes settings; where any of that fails, settings are what they were. */
  async #useLedgers({ ledgers, region }: Inspected): Promise<Problems> {
    const problems: string[] = [];
    const changed: string[] = [];
    for (const [name, ledger] of ledgers) {
      const recorder = this.#recorders.get(name);
      if (recorder === undefined) {
        const opened = await this.#open(ledger, region);
        if (opened.ok) {
          this.#recorders.set(name, opened.value);
          if (this.#svid !== undefined) opened.value.useCredentials(this.#svid);
        } else problems.push(...opened.problems);
      } else {
        changed.push(name);
        problems.push(...(await recorder.update(ledger, region)));
      }
    }
    if (problems.length === 0) return [];
    for (const name of changed) {
      const former = this.#inForce.ledgers.get(name);
      if (former !== undefined) await this.#recorders.get(name)?.update(former, this.#inForce.region);
    }
    return problems;
  }

  async #keep(encoded: Uint8Array): Promise<void> {
    try {
      await writeFile(`${this.#path}.new`, encoded, { mode: 0o600, flush: true });
      await rename(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, "Could not keep what is inspected");
      // A restarted agent that knows nothing refuses; one that knows the former rules might allow what is forbidden now.
      await rm(this.#path, { force: true }).catch(() => undefined);
    }
  }
}

type Decoded =
  | { readonly ok: true; readonly version: string; readonly value: Inspected }
  | { readonly ok: false; readonly problems: Problems };

function decode(encoded: Uint8Array): Decoded {
  try {
    const { version, resource } = fromBinary(ResourceSchema, encoded);
    const config = resource && anyUnpack(resource, InspectionConfigSchema);
    if (config === undefined) return { ok: false, problems: ["resource holds no InspectionConfig"] };
    const compiled = compileRules(config);
    return compiled.ok ? { ok: true, version, value: compiled.value } : compiled;
  } catch (error) {
    return { ok: false, problems: [`decode InspectionConfig: ${messageOf(error)}`] };
  }
}
