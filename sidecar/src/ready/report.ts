import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ChannelCredentials, type ClientWritableStream, Metadata } from "@grpc/grpc-js";
import { type EncodedMessage, type GrpcClient, grpcClient } from "@hedgerow/proto";
import { type ReportRequestSchema, ReportService } from "@hedgerow/proto/hedgerow/agent/v1/report";
import { backoffMs } from "../backoff.ts";
import { CONTROL_PLANE_CHANNEL } from "../identity/mesh-credentials.ts";
import type { Logger } from "../logger.ts";
import type { Readiness } from "./readiness.ts";

const BACKOFF = { baseMs: 100, maxMs: 5_000 };
/**
 * An agent that has just started is not ready until it has looked, though the Envoy that it took over may serve: it says so
 * only after this time, well within the grace period (15 s) that the control plane gives an agent that is gone.
 */
const KNOWS_AFTER_MS = 5_000;
/** How long the last "not ready" may take on its way. */
const FAREWELL_MS = 1_000;

type Call = ClientWritableStream<MessageInitShape<typeof ReportRequestSchema> | EncodedMessage>;

/** Keeps the control plane told whether this workload takes traffic: on every connection and every change, once it is known. */
export class Reporter {
  readonly #address: string;
  readonly #agentVersion: string;
  readonly #random: () => number;
  readonly #logger: Logger;
  #readiness: Readiness = { ready: false, reason: "starting" };
  #credentials: ChannelCredentials | undefined;
  #client: GrpcClient<typeof ReportService> | undefined;
  #call: Call | undefined;
  #ended: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;
  #knows = false;
  readonly #knowing: NodeJS.Timeout;

  constructor(options: {
    /** host:port of the control plane's mesh port. */
    readonly address: string;
    readonly agentVersion: string;
    readonly random: () => number;
    readonly logger: Logger;
  }) {
    this.#address = options.address;
    this.#agentVersion = options.agentVersion;
    this.#random = options.random;
    this.#logger = options.logger;
    this.#knowing = setTimeout(() => {
      this.#knows = true;
      this.#send();
    }, KNOWS_AFTER_MS);
    this.#knowing.unref();
  }

  /** Connects, or connects again, with these credentials. */
  useCredentials(credentials: ChannelCredentials): void {
    this.#credentials = credentials;
    this.#close();
    this.#open();
  }

  report(readiness: Readiness): void {
    this.#readiness = readiness;
    this.#knows ||= readiness.ready;
    this.#send();
  }

  /** Says "not ready" a last time, waits for the control plane to have heard it, a second at most, and ends. */
  async stop(reason: string): Promise<void> {
    this.#stopped = true;
    this.#knows = true;
    clearTimeout(this.#knowing);
    clearTimeout(this.#retry);
    const call = this.#call;
    if (call !== undefined) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => resolve(undefined), FAREWELL_MS);
      this.#ended = () => resolve(undefined);
      this.report({ ready: false, reason });
      call.end();
      await promise;
      clearTimeout(timer);
    }
    this.#close();
  }

  #open(): void {
    if (this.#stopped || this.#credentials === undefined) return;
    clearTimeout(this.#retry);
    const client = grpcClient(ReportService, this.#address, this.#credentials, CONTROL_PLANE_CHANNEL);
    const openedMs = performance.now();
    const call = client.report(new Metadata(), {}, (error) => {
      if (call !== this.#call) return;
      this.#ended?.();
      this.#close();
      if (this.#stopped) return;
      // A call that lasted was a working one.
      if (performance.now() - openedMs > BACKOFF.maxMs) this.#failures = 0;
      const delayMs = backoffMs(this.#failures, BACKOFF, this.#random());
      this.#failures += 1;
      this.#logger.debug({ error: error?.message, retry_in_ms: Math.round(delayMs) }, "Readiness report ended");
      this.#retry = setTimeout(() => this.#open(), delayMs);
    });
    this.#client = client;
    this.#call = call;
    // The callback above hears of the same failure; without a listener the stream would throw it.
    call.on("error", () => undefined);
    this.#send();
  }

  #send(): void {
    if (this.#knows) this.#call?.write({ ...this.#readiness, agentVersion: this.#agentVersion });
  }

  #close(): void {
    const call = this.#call;
    if (call === undefined) return;
    this.#call = undefined;
    call.cancel();
    this.#client?.close();
    this.#client = undefined;
  }
}
