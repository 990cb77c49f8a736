import { createHash } from "node:crypto";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { type Answer, refused, Server } from "./send.ts";
import { type CheckpointStretch, type Sink, type Stretch, segmentName } from "./sink.ts";

const SEQ_DIGITS = 12;

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface S3Options {
  readonly bucket: string;
  /** http(s)://HOST[:PORT]; empty: AWS's own of the region. */
  readonly endpoint: string;
  readonly region: string;
  /** Stands before every key. */
  readonly prefix: string;
  readonly objectLock: "none" | "governance" | "compliance";
  /** How long objects are locked. */
  readonly keepMs: number;
  /** Asked for each request, so that a secret that was replaced is used. */
  readonly credentials: () => Promise<S3Credentials>;
  readonly now: () => number;
}

/**
 * Objects PREFIX LEDGER/SEGMENT/FIRST-LAST.jsonl in a bucket, written once; with object lock nobody can delete them before their
 * time, `compliance` not even the account's owner. PREFIX LEDGER/checkpoints/OFFSET.jsonl and PREFIX LEDGER/ledger.json are locked
 * too; PREFIX LEDGER/keys/KID.jwe never are.
 */
export class S3Sink implements Sink {
  readonly #options: S3Options;
  readonly #server: Server;
  /** Before PREFIX, in the path of a request. */
  readonly #root: string;

  constructor(options: S3Options) {
    this.#options = options;
    const { bucket, region } = options;
    // Names with dots fit no wildcard certificate; servers other than AWS's know buckets by the path.
    const byHost = options.endpoint === "" && !bucket.includes(".");
    const aws = byHost ? `https://${bucket}.s3.${region}.amazonaws.com` : `https://s3.${region}.amazonaws.com`;
    this.#server = new Server(options.endpoint === "" ? aws : options.endpoint);
    this.#root = byHost ? "/" : `/${bucket}/`;
  }

  async begin(ledger: string, identity: Buffer): Promise<void> {
    await this.#put(`${ledger}/ledger.json`, identity, true);
  }

  async ship({ ledger, segment, first, last, bytes }: Stretch): Promise<void> {
    await this.#put(`${ledger}/${segmentName(segment)}/${padded(first)}-${padded(last)}.jsonl`, bytes, true);
  }

  async shipCheckpoints({ ledger, offset, bytes }: CheckpointStretch): Promise<void> {
    await this.#put(`${ledger}/checkpoints/${padded(offset)}.jsonl`, bytes, true);
  }

  async putKey(ledger: string, kid: string, wrapped: Buffer): Promise<string> {
    const { headers } = await this.#put(`${ledger}/keys/${kid}.jwe`, wrapped, false);
    return headerOf(headers, "x-amz-version-id");
  }

  async deleteKey(ledger: string, kid: string, version: string): Promise<void> {
    // A bucket with object lock has versions: without naming one, the key would only be hidden.
    const query = version === "" ? "" : `?versionId=${encodeURIComponent(version)}`;
    const key = `${ledger}/keys/${kid}.jwe`;
    const answer = await this.#send("DELETE", `${key}${query}`, {});
    if (answer.status !== 204 && answer.status !== 200 && answer.status !== 404) throw refused(`delete ${key}`, answer);
  }

  close(): void {
    this.#server.close();
  }

  async #put(key: string, body: Buffer, locked: boolean): Promise<Answer> {
    const digest = (name: string) => createHash(name).update(body).digest("base64");
    const headers = {
      "content-type": key.endsWith(".jsonl") ? "application/x-ndjson" : "application/octet-stream",
      // Object lock asks for a checksum; AWS takes either, others know only the older.
      "content-md5": digest("md5"),
      "x-amz-checksum-sha256": digest("sha256"),
      ...(locked ? this.#lock() : {}),
    };
    const answer = await this.#send("PUT", key, headers, body);
    if (answer.status !== 200) throw refused(`put ${key}`, answer);
    return answer;
  }

  #lock(): OutgoingHttpHeaders {
    const { objectLock, keepMs, now } = this.#options;
    if (objectLock === "none" || keepMs <= 0) return {};
    return {
      "x-amz-object-lock-mode": objectLock.toUpperCase(),
      "x-amz-object-lock-retain-until-date": new Date(now() + keepMs).toISOString(),
    };
  }

  async #send(method: string, key: string, headers: OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
    // Loaded where there is such a sink, and by no other agent.
    const { sign } = await import("aws4");
    const { region, prefix, credentials, now } = this.#options;
    const path = `${this.#root}${prefix}${key}`;
    const date = new Date(now()).toISOString().replace(/[:-]|\.\d{3}/g, "");
    const signed = sign(
      {
        service: "s3",
        region,
        method,
        path,
        host: this.#server.host,
        headers: { ...headers, host: this.#server.host, "x-amz-date": date, "content-length": body?.length ?? 0 },
        ...(body === undefined ? {} : { body }),
      },
      await credentials(),
    );
    return await this.#server.send(method, signed.path ?? path, signed.headers ?? {}, body);
  }
}

function padded(position: number): string {
  return String(position).padStart(SEQ_DIGITS, "0");
}

function headerOf(headers: IncomingMessage["headers"], name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}
