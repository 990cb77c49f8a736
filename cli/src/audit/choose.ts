import type { EncryptionOptions, SelectionOptions } from "../commands/audit-options.ts";
import { CliError } from "../errors.ts";
import { type EntryType, entryTypes } from "./entry.ts";
import { parseTimeRange } from "./parse-time-range.ts";
import type { Selection } from "./selection.ts";

/** @throws CliError usage: an option is wrong. */
export function parseSelection(options: SelectionOptions, nowMs: number): Selection {
  const { type = [], from, to, caller, model, verdict, reason, policy, decision, request } = options;
  if (policy !== undefined && !/^[^/\s]+\/[^/\s]+$/.test(policy))
    throw new CliError("usage", `--policy ${policy} is no NAMESPACE/NAME of an AccessPolicy, as in models/digits`);
  if (caller !== undefined && caller !== "none" && !caller.includes("/"))
    throw new CliError(
      "usage",
      `--caller ${caller} is no caller: give NAMESPACE/SERVICE-ACCOUNT, NAMESPACE/*, a SPIFFE id, or none`,
    );
  return {
    types: new Set(type.map(parseType)),
    range: parseTimeRange({ ...(from && { from }), ...(to && { to }) }, nowMs),
    ...(caller && { caller }),
    ...(model && { model }),
    ...(verdict && { verdict }),
    ...(reason && { reason }),
    ...(policy && { policy }),
    ...(decision && { decision }),
    ...(request && { request }),
  };
}

function parseType(text: string): EntryType {
  const found = entryTypes.find((type) => type === text);
  if (found === undefined) throw new CliError("usage", `--type ${text} is none of ${entryTypes.join(", ")}`);
  return found;
}

/** What was asked, for the record of the read. */
export function describeQuery(options: SelectionOptions & EncryptionOptions & { readonly limit?: string }): string {
  const { type = [], from, to, caller, model, verdict, reason, policy, decision, request, limit } = options;
  const given = { from, to, caller, model, verdict, reason, policy, decision, request, limit };
  return [
    ...type.map((one) => `--type ${one}`),
    ...Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`])),
  ].join(" ");
}

/** What a person has of a request: what its caller was told. */
export interface Reference {
  /** How a decision id begins; undefined: it can't be one. */
  readonly decision: string | undefined;
  /** A request id, whole. */
  readonly request: string;
}

/** Crockford's base32; what it leaves out is read as what it looks like. */
const DECISION = /^[0-9A-HJKMNP-TV-Z]{4,16}$/;

/** @throws CliError usage: too short for either. */
export function parseReference(text: string): Reference {
  const corrected = text.toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
  const decision = DECISION.test(corrected) ? corrected : undefined;
  if (text === "" || (decision === undefined && /^[0-9A-HJKMNP-TV-Z]{1,3}$/.test(corrected)))
    throw new CliError(
      "usage",
      `${text} is no decision id and no request id: give at least the first 4 characters of the id that the caller was told`,
    );
  return { decision, request: text };
}
