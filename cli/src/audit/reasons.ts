import type { Refusal } from "@hedgerow/ledger";
import type { EntryRecord } from "./entry.ts";

/** Why Envoy refused by itself, in the words that decisions have, from RESPONSE_CODE_DETAILS and the status. */
export function reasonOfRefusal({ details, status }: Pick<Refusal, "details" | "status">): string {
  if (details.startsWith("rbac_access_denied")) return "access";
  if (details.startsWith("ext_authz")) return "not_inspected";
  if (details.startsWith("request_payload") || status === 413) return "too_large";
  if (details === "route_not_found" || details === "direct_response") return "no_route";
  if (details.startsWith("http1.") || details.startsWith("http2.") || status === 400) return "malformed";
  return "other";
}

/** The constant word for why something was refused; undefined: it was not. */
export function reasonOf(record: EntryRecord): string | undefined {
  switch (record.type) {
    case "decision":
      return record.verdict === "deny" ? (record.reason ?? "other") : undefined;
    case "refusal":
      return reasonOfRefusal(record);
    case "connection.refused":
      return "connection";
    case "records.missing":
    case "tail.repaired":
    case "log.gap":
    case "segment.deleted":
    case "certificate.issued":
    case "token.created":
    case "policy.edited":
    case "audit.read":
      return undefined;
  }
}

/** For people who know none of the words. */
const inPlainWords: Readonly<Record<string, string>> = {
  access: "no rule allowed this caller to do this",
  malformed: "the request could not be read, so nobody could have said what it asks",
  too_large: "the request was larger than the service takes",
  unsupported: "the request came in a form that can't be inspected",
  overload: "too much was being inspected at that moment; the caller was told to try again",
  stream: "it was a stream, which can't be inspected before it is answered",
  not_inspected: "the inspection did not answer, and nothing passes uninspected",
  no_route: "nothing is served under that address",
  connection: "the connection was not accepted: the other side did not prove who it is",
  other: "refused for another reason",
};

/** As a half sentence. A word that is not known stands for itself. */
export function explainReason(reason: string): string {
  return Object.hasOwn(inPlainWords, reason) ? (inPlainWords[reason] ?? reason) : reason;
}
