import { type LedgerIdentity, parseIdentity } from "@hedgerow/ledger";
import { encodeLogs } from "./otlp-records.ts";
import { refused, Server } from "./send.ts";
import type { CheckpointStretch, Sink, Stretch } from "./sink.ts";

/**
 * A collector of OpenTelemetry's logs, over HTTP in JSON: one log record for each record and checkpoint. Part of it refused is all
 * of it refused. Sent again after a crash, records come twice: `hedgerow.ledger` and `hedgerow.seq` name one.
 */
export class OtlpSink implements Sink {
  readonly #server: Server;
  readonly #now: () => number;
  #identity: LedgerIdentity | undefined;

  constructor(options: {
    /** http(s)://HOST[:PORT]. */
    readonly endpoint: string;
    readonly now: () => number;
  }) {
    this.#server = new Server(options.endpoint);
    this.#now = options.now;
  }

  begin(ledger: string, identity: Buffer): Promise<void> {
    this.#identity = parseIdentity(identity.toString("utf8"));
    return this.#identity?.ledger === ledger
      ? Promise.resolve()
      : Promise.reject(new Error(`ledger.json is not of ${ledger}`));
  }

  ship(stretch: Stretch): Promise<void> {
    return this.#post(stretch);
  }

  shipCheckpoints(stretch: CheckpointStretch): Promise<void> {
    return this.#post(stretch);
  }

  /** A collector could never forget a key. */
  putKey(): Promise<string> {
    return Promise.resolve("");
  }

  deleteKey(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#server.close();
  }

  async #post(stretch: Stretch | CheckpointStretch): Promise<void> {
    if (this.#identity === undefined) throw new Error("nothing is known of the ledger yet");
    const body = encodeLogs(this.#identity, stretch, this.#now());
    const headers = { "content-type": "application/json", "content-length": body.length };
    const answer = await this.#server.send("POST", "/v1/logs", headers, body);
    if (answer.status !== 200 || rejectedOf(answer.body) !== 0) throw refused("POST /v1/logs", answer);
  }
}

/** Log records that an ExportLogsServiceResponse says were refused (partialSuccess). */
function rejectedOf(body: string): number {
  if (body.trim() === "") return 0;
  const answer: unknown = JSON.parse(body);
  if (typeof answer !== "object" || answer === null || !("partialSuccess" in answer)) return 0;
  const partial: unknown = answer.partialSuccess;
  if (typeof partial !== "object" || partial === null || !("rejectedLogRecords" in partial)) return 0;
  return Number(partial.rejectedLogRecords);
}
