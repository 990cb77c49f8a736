import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from "node:http";
import { isIP } from "node:net";
import { target } from "./dial.ts";
import type { ProbeHandler } from "./settings.ts";

/** As the kubelet's (pkg/probe/http): more of a body is not read, and more redirects are not followed. */
const MAX_BODY_BYTES = 10 * 1024;
const MAX_REDIRECTS = 10;

type HttpGet = Extract<ProbeHandler, { kind: "http_get" }>;

/**
 * The status of a GET as the kubelet asks: HTTPS without verification, redirects followed while they stay on the host, and
 * otherwise answered with their own status. Rejects when nobody answers, as when the signal aborts.
 */
export async function httpGet(
  handler: HttpGet,
  options: { readonly podIp: string | undefined; readonly userAgent: string; readonly signal: AbortSignal },
): Promise<number> {
  const { host } = target(handler.host, handler.port, options.podIp);
  const first = new URL(`${handler.scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${handler.port}${handler.path}`);
  const headers = headersOf(handler, options.userAgent);
  let url = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const { statusCode, location } = await ask(url, host, headers, options);
    const next = statusCode >= 300 && statusCode < 400 && location !== "" ? URL.parse(location, url.href) : null;
    if (next === null || next.hostname !== first.hostname) return statusCode;
    url = next;
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

async function ask(
  url: URL,
  host: string,
  headers: OutgoingHttpHeaders,
  { podIp, signal }: { readonly podIp: string | undefined; readonly signal: AbortSignal },
): Promise<{ statusCode: number; location: string }> {
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = { ...target(host, port, podIp), path: `${url.pathname}${url.search}`, headers, agent: false, signal };
  let call: ClientRequest;
  if (secure) {
    // Few applications are asked over TLS: those of the others need not hold the module.
    const { request } = await import("node:https");
    call = request({ ...options, rejectUnauthorized: false, servername: isIP(host) === 0 ? host : "" }, resolve);
  } else {
    call = requestHttp(options, resolve);
  }
  call.on("error", reject);
  call.end();
  const answer = await promise;
  try {
    await readSome(answer);
  } finally {
    answer.destroy();
  }
  return { statusCode: answer.statusCode ?? 0, location: answer.headers.location ?? "" };
}

async function readSome(answer: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return;
  }
}

function headersOf({ headers }: HttpGet, userAgent: string): OutgoingHttpHeaders {
  const all = new Map<string, string[]>([
    ["accept", ["*/*"]],
    ["user-agent", [userAgent]],
  ]);
  const given = Map.groupBy(headers, ({ name }) => name.toLowerCase());
  for (const [name, values] of given) {
    const present = values.map(({ value }) => value).filter((value) => value !== "");
    // An empty value takes a default away.
    if (present.length === 0) all.delete(name);
    else all.set(name, present);
  }
  // Of several the last, and by itself: a list would be several header lines.
  const named = all.get("host")?.at(-1);
  return { ...Object.fromEntries(all), ...(named === undefined ? {} : { host: named }) };
}
