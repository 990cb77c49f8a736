/**
 * SPIFFE id of the caller from `x-forwarded-client-cert`, which Envoy writes anew for each request (SANITIZE_SET):
 * `By=…;Hash=…;URI=…`, values with separators in double quotes. Undefined without TLS, and where it does not name exactly
 * one URI of exactly one certificate: who could be either of two is nobody.
 * Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/headers#x-forwarded-client-cert
 */
export function callerOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  let uri: string | undefined;
  for (let at = 0; at < header.length; ) {
    const equals = header.indexOf("=", at);
    if (equals < 0) return undefined;
    const value = header[equals + 1] === '"' ? quoted(header, equals + 2) : plain(header, equals + 1);
    if (value === undefined || header[value.end] === ",") return undefined;
    if (header.slice(at, equals).toLowerCase() === "uri") {
      if (uri !== undefined) return undefined;
      uri = value.text;
    }
    at = value.end + 1;
  }
  return uri === "" ? undefined : uri;
}

interface Value {
  readonly text: string;
  /** Where the separator after it stands. */
  readonly end: number;
}

function plain(header: string, from: number): Value {
  let end = from;
  while (end < header.length && header[end] !== ";" && header[end] !== ",") end += 1;
  return { text: header.slice(from, end), end };
}

/** Undefined where the quotes do not end, or end amid the value. */
function quoted(header: string, from: number): Value | undefined {
  let text = "";
  for (let at = from; at < header.length; at += 1) {
    if (header[at] === '"') {
      const after = header[at + 1];
      return after === undefined || after === ";" || after === "," ? { text, end: at + 1 } : undefined;
    }
    if (header[at] === "\\") at += 1;
    text += header[at] ?? "";
  }
  return undefined;
}
