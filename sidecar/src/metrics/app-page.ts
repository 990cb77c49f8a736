import { get, type IncomingMessage } from "node:http";

const TIMEOUT_MS = 2_000;
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * An application's Prometheus page. By node:http, since `fetch` would bring 10 MB for life. Rejects when it is not answered with
 * 200 within two seconds, or over 8 MiB.
 */
export async function fetchAppPage(url: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get(url, { agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }, resolve).on("error", reject);
  const answer = await promise;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    if (answer.statusCode !== 200) throw new Error(`answers ${answer.statusCode}`);
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Error(`page is over ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
  } finally {
    answer.destroy();
  }
  return Buffer.concat(chunks).toString("utf8");
}
