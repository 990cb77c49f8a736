// What a record says, in few words, for tables, spreadsheets and reports.
import type { Decision, Outcome, Refusal, TensorSummary } from "@hedgerow/ledger";
import { count } from "../screen/count.ts";
import type { EntryRecord } from "./entry.ts";
import { explainReason, reasonOf } from "./reasons.ts";

/** As in apps/reader for spiffe://bank.example/ns/apps/sa/reader; any other identity stays whole. */
export function shortIdentity(spiffe: string): string {
  const [, namespace, account] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffe) ?? [];
  return namespace === undefined ? spiffe : `${namespace}/${account}`;
}

/** Who did it, or wanted to. */
export function whoOf(record: EntryRecord): string {
  switch (record.type) {
    case "decision":
    case "refusal":
      return record.caller === undefined ? "no identity" : shortIdentity(record.caller);
    case "connection.refused":
      return record.source;
    case "token.created":
    case "policy.edited":
    case "audit.read":
      return record.by;
    case "certificate.issued":
      return shortIdentity(record.spiffe);
    case "records.missing":
    case "tail.repaired":
    case "log.gap":
    case "segment.deleted":
      return "the recorder";
  }
}

export function modelOf({ model, version }: Pick<Decision, "model" | "version">): string | undefined {
  return model === undefined || !version ? model : `${model}@${version}`;
}

/** What was asked for, or happened. */
export function whatOf(record: EntryRecord): string {
  switch (record.type) {
    case "decision":
      return [record.method, modelOf(record)].filter((part) => part !== undefined).join(" ");
    case "refusal":
      return `${record.method} ${record.path}`;
    case "connection.refused":
      return `connection to port ${record.port}`;
    case "records.missing":
      return `${count(record.requests, "request")} answered without a record`;
    case "tail.repaired":
      return `a torn tail of ${count(record.bytes, "byte")} was cut off`;
    case "log.gap":
      return record.lines === undefined
        ? "lines of Envoy's log are missing"
        : `${count(record.lines, "line")} of Envoy's log missing`;
    case "segment.deleted":
      return `segment ${record.segment} with ${count(record.records, "record")} deleted`;
    case "certificate.issued":
      return `certificate (${record.use}) ${record.serial}`;
    case "token.created":
      return `${record.reusable ? "reusable " : ""}join token for ${record.node}`;
    case "policy.edited":
      return `${record.operation} ${record.kind}/${record.namespace}/${record.name}`;
    case "audit.read":
      return `${record.command} of ${count(record.ledgers.length, "ledger")}`;
  }
}

/** `allow` or `deny` of what was a request; else the record's type. */
export function kindOf(record: EntryRecord): string {
  if (record.type === "decision") return record.verdict;
  return record.type === "refusal" || record.type === "connection.refused" ? "deny" : record.type;
}

/** Why it was refused, or happened; empty: nothing to say. */
export function whyOf(record: EntryRecord): string {
  switch (record.type) {
    case "decision": {
      const findings = (record.findings ?? []).map(({ message }) => message);
      if (record.verdict === "allow") return findings.join("; ");
      return [reasonOf(record), ...findings].join(": ");
    }
    case "refusal":
      return `${reasonOf(record)}: ${record.details}`;
    case "connection.refused":
      return record.failure;
    case "records.missing":
    case "log.gap":
      return record.reason;
    case "tail.repaired":
      return "after a crash; nobody had been answered on it";
    case "segment.deleted":
      return `retention ${record.retention}`;
    case "policy.edited":
      return record.problem ?? record.where ?? "";
    case "audit.read":
      return record.query ?? "";
    case "certificate.issued":
      return `until ${record.notAfter}`;
    case "token.created":
      return `until ${record.expires}`;
  }
}

/** How a decided request ended, or a refusal was answered; empty: it was no request. */
export function endOf(record: EntryRecord, outcome: Outcome | undefined): string {
  switch (record.type) {
    case "decision":
      return outcome === undefined ? "not recorded" : outcome.result === "unknown" ? "unknown" : statusOf(outcome);
    case "refusal":
      return statusOf(record);
    case "connection.refused":
    case "records.missing":
    case "tail.repaired":
    case "log.gap":
    case "segment.deleted":
    case "certificate.issued":
    case "token.created":
    case "policy.edited":
    case "audit.read":
      return "";
  }
}

function statusOf({ status, grpcStatus }: Pick<Outcome, "status" | "grpcStatus"> | Refusal): string {
  const http = status === undefined ? "answered" : String(status);
  return grpcStatus === undefined ? http : `${http} gRPC ${grpcStatus}`;
}

const decimal = new Intl.NumberFormat("en-US");

/** As in 3,137: the separators are the same everywhere. */
export function formatCount(number: number): string {
  return decimal.format(number);
}

/** As in `image FP32 [1,28,28]`. */
export function formatTensor({ name, datatype, shape }: TensorSummary): string {
  return `${name} ${datatype} [${shape.join(",")}]`;
}

/** In sentences: why a request was let through or refused. */
export function explainDecision(decision: Decision): readonly string[] {
  const { access, verdict, findings = [] } = decision;
  const policy = access.policy === "" ? "no AccessPolicy" : `AccessPolicy ${access.policy}`;
  const at = access.generation === undefined ? policy : `${policy} (generation ${access.generation})`;
  const found = findings.map(({ detector, message }) => `${detector}: ${message}`);
  if (verdict === "allow")
    return [access.rule === undefined ? `${at} lets it through` : `rule "${access.rule}" of ${at} allows it`, ...found];
  const reason = decision.reason ?? "other";
  return [reason === "access" ? `no rule of ${at} allows it` : explainReason(reason), ...found];
}
