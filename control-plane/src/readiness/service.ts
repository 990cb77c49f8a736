// ReportService (hedgerow.agent.v1), the timers of the tracker, and STATE/ready.json.
import { join } from "node:path";
import { type ServerReadableStream, type ServiceError, status } from "@grpc/grpc-js";
import { grpcService } from "@hedgerow/proto";
import { type ReportRequest, type ReportResponse, ReportService } from "@hedgerow/proto/hedgerow/agent/v1/report";
import { peerOfCall } from "../ca/call-peer.ts";
import { whenExpired } from "../ca/expiry.ts";
import type { CertifiedPeer } from "../ca/peer.ts";
import { RateLimit } from "../ca/rate-limit.ts";
import type { Logger } from "../logger.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { readPrivateFile, replaceFile } from "../state-file.ts";
import { cutText } from "../text.ts";
import { ReadinessTracker, type Report } from "./tracker.ts";

const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** As the proto says of `reason`. */
const MAX_REASON_BYTES = 512;
const MAX_VERSION_BYTES = 64;
/** Of one workload, on whatever calls: each change of its readiness is a new snapshot for all of its callers. */
const REPORT_LIMIT = { perSecond: 1, burst: 20, maxKeys: 100_000 };

export interface ReadinessDeps {
  readonly stateDir: string;
  /** ms of a clock that nobody sets: a grace must not last as long as a clock was set back. */
  readonly now: () => number;
  readonly logger: Logger;
  /** The set of ready workloads changed. */
  readonly onChange: () => void;
}

/** Owns the set of ready workloads: reports change it, time ends it, the disk keeps it. */
export class Readiness implements AsyncDisposable {
  readonly #tracker = new ReadinessTracker();
  readonly #limit = new RateLimit(REPORT_LIMIT);
  readonly #deps: ReadinessDeps;
  readonly #path: string;
  #ready: ReadonlySet<NodeId> = new Set();
  #calls = 0;
  readonly #open = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #unwritten = false;
  #writing: Promise<void> | undefined;
  #closed = false;

  private constructor(deps: ReadinessDeps) {
    this.#deps = deps;
    this.#path = join(deps.stateDir, "ready.json");
  }

  /** Starts with the set of before the last stop or crash. */
  static async open(deps: ReadinessDeps): Promise<Readiness> {
    const readiness = new Readiness(deps);
    readiness.#tracker.restore(await readiness.#read(), deps.now());
    readiness.#ready = readiness.#tracker.readyNodes();
    readiness.#schedule();
    return readiness;
  }

  get ready(): ReadonlySet<NodeId> {
    return this.#ready;
  }

  /** What a workload's agent said last; undefined when no agent reports for it. */
  of(nodeId: NodeId): Report | undefined {
    return this.#tracker.of(nodeId);
  }

  /** Arguments of grpc-js `addService` on the port `mesh`. `wallClock` gives Unix ms, as certificates have it. */
  service(trustDomain: string, wallClock: () => number): ReturnType<typeof grpcService> {
    return grpcService(ReportService, {
      report: (call: ServerReadableStream<ReportRequest, ReportResponse>, callback) => {
        const peer = peerOfCall(trustDomain, call, wallClock());
        if (peer?.kind === "workload") this.#follow(peer, wallClock, call, callback);
        else callback({ code: status.PERMISSION_DENIED, details: "the client certificate is no workload's SVID" });
      },
    });
  }

  #follow(
    { nodeId, notAfterMs }: Extract<CertifiedPeer, { kind: "workload" }>,
    wallClock: () => number,
    call: ServerReadableStream<ReportRequest, ReportResponse>,
    callback: (error: Partial<ServiceError> | null, response?: object) => void,
  ): void {
    const number = ++this.#calls;
    let isOver = false;
    // A reset, a lost connection and a half-close all come to the same: nobody speaks on this call any more.
    const end = (error: Partial<ServiceError> | null) => {
      if (isOver) return;
      isOver = true;
      forgetExpiry();
      this.#open.delete(shutDown);
      if (!this.#closed) {
        this.#tracker.end(nodeId, number, this.#deps.now());
        this.#schedule();
      }
      callback(error, {});
    };
    const shutDown = () => end({ code: status.UNAVAILABLE, details: "the control plane is shutting down" });
    this.#open.add(shutDown);
    const forgetExpiry = whenExpired(notAfterMs, wallClock, () =>
      end({ code: status.UNAUTHENTICATED, details: "the SVID has expired" }),
    );
    call.on("data", (request: ReportRequest) => {
      if (isOver) return;
      if (this.#limit.take(nodeId, this.#deps.now())) this.#take(nodeId, number, request);
      else end({ code: status.RESOURCE_EXHAUSTED, details: "too many reports, try again in seconds" });
    });
    call.on("end", () => end(null));
    call.on("cancelled", () => end({ code: status.CANCELLED }));
    call.on("error", () => end({ code: status.CANCELLED }));
  }

  #take(nodeId: NodeId, call: number, { ready, reason, agentVersion }: ReportRequest): void {
    const report = {
      ready,
      reason: ready ? "" : cutText(reason, MAX_REASON_BYTES),
      agentVersion: cutText(agentVersion, MAX_VERSION_BYTES),
    };
    this.#deps.logger.info({ node_id: nodeId, ready, reason: report.reason }, "Agent reported");
    if (this.#tracker.report(nodeId, call, report)) this.#changed();
  }

  #changed(): void {
    this.#ready = this.#tracker.readyNodes();
    this.#unwritten = true;
    this.#writing ??= this.#write();
    this.#deps.onChange();
  }

  // A report may have made the timer needless; it then finds nothing to do and sets itself anew.
  #schedule(): void {
    clearTimeout(this.#timer);
    const next = this.#tracker.nextExpiryMs();
    if (next === undefined || this.#closed) return;
    const expire = () => {
      if (this.#tracker.expire(this.#deps.now())) this.#changed();
      this.#schedule();
    };
    this.#timer = setTimeout(expire, Math.max(0, next - this.#deps.now()));
    this.#timer.unref();
  }

  async #read(): Promise<readonly NodeId[]> {
    try {
      const text = await readPrivateFile(this.#path, MAX_FILE_BYTES);
      if (text === undefined) return [];
      const nodeIds: unknown = JSON.parse(text);
      if (Array.isArray(nodeIds) && nodeIds.every((nodeId) => typeof nodeId === "string")) return nodeIds;
      throw new TypeError("not a list of node ids");
    } catch (error) {
      // Agents report again within seconds; a control plane that does not start would serve nobody.
      this.#deps.logger.error({ path: this.#path, err: error }, "Ignored an unreadable ready set");
      return [];
    }
  }

  // Whatever changes while one write runs is in the next. Never rejects.
  async #write(): Promise<void> {
    while (this.#unwritten) {
      this.#unwritten = false;
      try {
        await replaceFile(this.#path, `${JSON.stringify([...this.#ready].sort())}\n`);
      } catch (error) {
        this.#deps.logger.error({ path: this.#path, err: error }, "Failed to keep the ready set");
      }
    }
    this.#writing = undefined;
  }

  /** Ends every call with UNAVAILABLE. The set on disk stays: agents report again to whoever comes next. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const shutDown of this.#open) shutDown();
    await this.#writing;
  }
}
