import type { Decision, Refusal } from "@hedgerow/ledger";
import { type EntryRecord, type EntryType, happenedAt, requestTypes } from "./entry.ts";
import { reasonOf } from "./reasons.ts";
import { isWithin, type TimeRange } from "./time-range.ts";

/** Which records; what is absent selects nothing away. */
export interface Selection {
  /** Empty: decisions, refusals and refused connections. */
  readonly types: ReadonlySet<EntryType>;
  readonly range: TimeRange;
  /** A SPIFFE id, NAMESPACE/SERVICEACCOUNT, or NAMESPACE/* for a whole namespace; `none`: callers without an identity. */
  readonly caller?: string;
  /** NAME or NAME@VERSION. */
  readonly model?: string;
  readonly verdict?: "allow" | "deny";
  readonly reason?: string;
  /** NAMESPACE/NAME of an AccessPolicy. */
  readonly policy?: string;
  /** A decision id, or how it begins. */
  readonly decision?: string;
  readonly request?: string;
}

export function isSelected(selection: Selection, record: EntryRecord): boolean {
  const { types, range, caller, model, verdict, reason, policy, decision, request } = selection;
  if (!(types.size === 0 ? requestTypes : types).has(record.type)) return false;
  if (!isWithin(range, happenedAt(record))) return false;
  if (verdict !== undefined && verdictOf(record) !== verdict) return false;
  if (reason !== undefined && reasonOf(record) !== reason) return false;
  if (caller !== undefined && !(isRequest(record) && isCaller(caller, record.caller))) return false;
  if (policy !== undefined && !policiesOf(record).includes(policy)) return false;
  if (request !== undefined && !(isRequest(record) && record.request === request)) return false;
  if (decision !== undefined && !(record.type === "decision" && isDecision(decision, record))) return false;
  return model === undefined || (record.type === "decision" && isModel(model, record));
}

function verdictOf(record: EntryRecord): "allow" | "deny" | undefined {
  if (record.type === "decision") return record.verdict;
  return record.type === "refusal" || record.type === "connection.refused" ? "deny" : undefined;
}

function isRequest(record: EntryRecord): record is EntryRecord & (Decision | Refusal) {
  return record.type === "decision" || record.type === "refusal";
}

/** Crockford's base32 has no case. */
function isDecision(prefix: string, { id, repeats }: Decision): boolean {
  const wanted = prefix.toUpperCase();
  return id.startsWith(wanted) || (repeats?.startsWith(wanted) ?? false);
}

function isCaller(wanted: string, caller: string | undefined): boolean {
  if (caller === undefined) return wanted === "none";
  if (wanted === caller) return true;
  const [, namespace, account] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(caller) ?? [];
  return namespace !== undefined && (wanted === `${namespace}/${account}` || wanted === `${namespace}/*`);
}

function isModel(wanted: string, { model, version }: Decision): boolean {
  return model !== undefined && (wanted === model || (version !== undefined && wanted === `${model}@${version}`));
}

function policiesOf(record: EntryRecord): readonly string[] {
  const named =
    record.type === "decision" ? record.access.policy : record.type === "refusal" ? record.policy : undefined;
  return named?.split(/,\s*/) ?? [];
}
