import type { Decision } from "@hedgerow/ledger";
import { decide } from "@hedgerow/policy";
import type { OtherRead, ReadResult } from "./decode/read-result.ts";
import type { DenialStatus } from "./refusal.ts";
import type { PortRules } from "./rules.ts";

const MOST_TEXT = 512;

/** What is decided about. */
export interface Subject {
  /** SPIFFE id that TLS proved; undefined: plain text. */
  readonly caller: string | undefined;
  /** HTTP method and path as they came; Envoy has normalised the path. */
  readonly method: string;
  readonly path: string;
}

/** Why a request is denied, in a constant word. */
export type DenialReason = "access" | "malformed" | "too_large" | "unsupported" | "overload" | "stream";

export type Verdict =
  | { readonly kind: "allow"; readonly access: Decision["access"] }
  | {
      readonly kind: "deny";
      readonly access: Decision["access"];
      readonly status: DenialStatus;
      readonly reason: DenialReason;
      /** For the record, never for the caller. */
      readonly message?: string;
    };

/**
 * Access first, so that who may not ask at all learns nothing of what they sent; then whether what was asked is certain,
 * and nothing that a rule would have to see goes past it.
 */
export function judge(subject: Subject, read: ReadResult, rules: PortRules): Verdict {
  const allowed = decide(rules.access, { spiffeId: subject.caller, path: pathOf(subject.path) });
  if (allowed.kind === "deny") {
    return { kind: "deny", access: { policy: rules.governing }, status: 403, reason: "access" };
  }
  const generation = rules.access.find(({ policy }) => policy === allowed.policy)?.generation;
  const access = { policy: allowed.policy, rule: allowed.rule, ...(generation !== undefined && { generation }) };
  switch (read.kind) {
    case "infer":
      return { kind: "allow", access };
    case "other":
      // A stream would be held back until it ended if it were looked at, and not be seen if it were not.
      return read.method === "stream"
        ? { kind: "deny", access, status: 501, reason: "stream" }
        : { kind: "allow", access };
    case "refused":
      return { kind: "deny", access, status: STATUS[read.reason], reason: read.reason, message: read.message };
  }
}

const STATUS = { malformed: 400, too_large: 413, unsupported: 415 } as const;

/** The denial of a request that was not read, because too many bytes are being inspected already. */
export function overloaded(rules: PortRules): Verdict {
  return { kind: "deny", access: { policy: rules.governing }, status: 429, reason: "overload" };
}

/** What else a record says of a request. */
export interface Circumstances {
  readonly id: string;
  readonly requestId: string | undefined;
  readonly bodyBytes: number;
  readonly inputDigest: string | undefined;
  readonly repeats: string | undefined;
  readonly payload: string | undefined;
}

export function decisionRecord(
  subject: Subject,
  read: ReadResult,
  rules: PortRules,
  verdict: Verdict,
  { id, requestId, bodyBytes, inputDigest, repeats, payload }: Circumstances,
): Decision {
  const findings = findingsOf(read, verdict);
  return {
    type: "decision",
    id,
    ...(requestId !== undefined && { request: cut(requestId) }),
    ...(subject.caller !== undefined && { caller: subject.caller }),
    port: rules.port,
    protocol: read.protocol,
    method: methodOf(subject, read),
    ...asked(read),
    access: verdict.access,
    verdict: verdict.kind,
    ...(verdict.kind === "deny" && { status: verdict.status, reason: verdict.reason }),
    ...(findings !== undefined && { findings }),
    bodyBytes,
    ...(read.kind === "infer" && { decodedBytes: read.decoded.length }),
    ...(inputDigest !== undefined && { inputDigest }),
    ...(payload !== undefined && { payload }),
    ...(repeats !== undefined && { repeats }),
  };
}

function asked(read: ReadResult): Pick<Decision, "model" | "version" | "inputs"> {
  if (read.kind === "refused") return {};
  const { model, version } = read;
  return {
    ...(model !== undefined && { model: cut(model) }),
    ...(version !== undefined && { version: cut(version) }),
    ...(read.kind === "infer" && {
      inputs: read.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    }),
  };
}

function findingsOf(read: ReadResult, verdict: Verdict): Decision["findings"] {
  const found = read.kind === "infer" ? (read.findings ?? []) : [];
  if (verdict.kind === "allow" || verdict.message === undefined) return found.length === 0 ? undefined : found;
  return [...found, { detector: "decode", message: verdict.message }];
}

function methodOf({ method, path }: Subject, read: ReadResult): string {
  if (read.kind === "infer") return "infer";
  return isKnown(read) ? read.method : cut(`${method} ${pathOf(path)}`);
}

function isKnown(read: ReadResult): read is OtherRead {
  return read.kind === "other" && read.method !== "http" && read.method !== "stream";
}

/** Of what a caller may make as long as it likes, enough to know it by. */
function cut(text: string): string {
  return text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`;
}

/** Without query and fragment. */
function pathOf(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}
