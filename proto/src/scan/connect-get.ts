/** A request that travels in a URL, as Connect's GET does: what would be the body and its headers. */
export interface ConnectGet {
  readonly json: boolean;
  /** Undefined: not compressed. */
  readonly compression: string | undefined;
  /** As it came, perhaps compressed. */
  readonly message: Uint8Array;
}

export type ConnectGetResult =
  | { readonly ok: true; readonly value: ConnectGet }
  | { readonly ok: false; readonly kind: "malformed" | "unsupported"; readonly problem: string };

const KNOWN = ["connect", "encoding", "message", "base64", "compression"] as const;
type Parameter = (typeof KNOWN)[number];
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/**
 * The query of a Connect GET. Stricter than URLSearchParams, which takes the first of two and replaces what is not UTF-8:
 * another reader may take the second. Source: https://connectrpc.com/docs/protocol, "Unary-Get-Request".
 */
export function readConnectGet(query: string): ConnectGetResult {
  const found = new Map<Parameter, string>();
  for (const part of query.split("&")) {
    const [name, value] = split(part);
    const parameter = KNOWN.find((known) => known === unescaped(name));
    if (parameter === undefined) continue;
    if (found.has(parameter)) return malformed(`${parameter} is given twice`);
    const text = unescaped(value);
    if (text === undefined) return malformed(`${parameter} is not percent-encoded UTF-8`);
    found.set(parameter, text);
  }
  const version = found.get("connect");
  if (version !== undefined && version !== "v1") return unsupported("another version of Connect than v1");
  const encoding = found.get("encoding");
  if (encoding !== "proto" && encoding !== "json") return unsupported("an encoding other than proto and json");
  const base64 = found.get("base64");
  if (base64 !== undefined && base64 !== "1") return malformed("base64 is something else than 1");
  const text = found.get("message");
  if (text === undefined) return malformed("there is no message");
  const message = base64 === undefined ? new TextEncoder().encode(text) : fromBase64(text);
  if (message === undefined) return malformed("the message is not base64");
  const compression = found.get("compression");
  return {
    ok: true,
    value: { json: encoding === "json", compression: compression === "identity" ? undefined : compression, message },
  };
}

const malformed = (problem: string): ConnectGetResult => ({ ok: false, kind: "malformed", problem });
const unsupported = (problem: string): ConnectGetResult => ({ ok: false, kind: "unsupported", problem });

function split(part: string): readonly [name: string, value: string] {
  const at = part.indexOf("=");
  return at === -1 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
}

/** Undefined where an escape is broken or stands for no UTF-8, and for text that is not ASCII as it comes. */
function unescaped(text: string): string | undefined {
  if (!/^[\x21-\x7e]*$/.test(text)) return undefined;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

/** Either alphabet, padded as it should be or not at all. */
function fromBase64(text: string): Uint8Array | undefined {
  if (!BASE64.test(text)) return undefined;
  const digits = text.replace(/=+$/, "");
  if (digits.length % 4 === 1 || (digits.length !== text.length && text.length % 4 !== 0)) return undefined;
  const binary = atob(digits.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
