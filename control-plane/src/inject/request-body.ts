import type { IncomingMessage } from "node:http";

/** What bodies may take, all inclusive. */
export interface BodyLimits {
  /** Of one. Default 8 MiB: old and new object, of at most 3 MiB each. */
  readonly bodyBytes: number;
  /** Of all that are being read at once. Default 64 MiB. */
  readonly bytesAtOnce: number;
  /** Default 256. */
  readonly requestsAtOnce: number;
}

const MIB = 1024 * 1024;
const defaultBodyLimits: BodyLimits = { bodyBytes: 8 * MIB, bytesAtOnce: 64 * MIB, requestsAtOnce: 256 };

/** A request that is not served; `message` is for the caller. */
export class Refused extends Error {
  readonly status: 400 | 413 | 503;

  constructor(status: Refused["status"], message: string) {
    super(message);
    this.name = "Refused";
    this.status = status;
  }
}

/** What all bodies together may take. Beyond it requests are refused with 503, and the API server's client tries again. */
export class BodyBudget {
  readonly limits: BodyLimits;
  #requests = 0;
  #bytes = 0;

  constructor(limits: BodyLimits = defaultBodyLimits) {
    this.limits = limits;
  }

  enter(): void {
    if (this.#requests >= this.limits.requestsAtOnce) throw new Refused(503, "too many requests at once");
    this.#requests++;
  }

  take(bytes: number): void {
    if (this.#bytes + bytes > this.limits.bytesAtOnce) throw new Refused(503, "too many bytes at once");
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#requests--;
    this.#bytes -= bytes;
  }
}

/** The JSON of a body. Throws Refused; a caller that goes away in between is one that sent too little. */
export async function readBody(request: IncomingMessage, budget: BodyBudget): Promise<unknown> {
  const { bodyBytes } = budget.limits;
  budget.enter();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // The request outlives the loop, so that it can still be answered.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (bytes + chunk.length > bodyBytes) throw new Refused(413, `body has more than ${bodyBytes} bytes`);
      budget.take(chunk.length);
      bytes += chunk.length;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(400, "body is not JSON");
  } finally {
    budget.leave(bytes);
  }
}
