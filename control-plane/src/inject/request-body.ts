import type { IncomingMessage } from "node:http";

/** Old and new object: the API server takes requests of 3 MiB. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** Of all bodies that are being read at once. */
const MAX_BYTES_AT_ONCE = 64 * 1024 * 1024;
const MAX_REQUESTS_AT_ONCE = 256;

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
  #requests = 0;
  #bytes = 0;

  enter(): void {
    if (this.#requests >= MAX_REQUESTS_AT_ONCE) throw new Refused(503, "too many requests at once");
    this.#requests++;
  }

  take(bytes: number): void {
    if (this.#bytes + bytes > MAX_BYTES_AT_ONCE) throw new Refused(503, "too many bytes at once");
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#requests--;
    this.#bytes -= bytes;
  }
}

/** The JSON of a body. Throws Refused; a caller that goes away in between is one that sent too little. */
export async function readBody(request: IncomingMessage, budget: BodyBudget): Promise<unknown> {
  budget.enter();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // The request outlives the loop, so that it can still be answered.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (bytes + chunk.length > MAX_BODY_BYTES) throw new Refused(413, `body has more than ${MAX_BODY_BYTES} bytes`);
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
