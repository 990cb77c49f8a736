import { CliError } from "../errors.ts";
import type { Reference } from "./choose.ts";
import type { FoundRequest, Related } from "./find-decision.ts";
import { formatCount, whatOf, whoOf } from "./words.ts";

const MAX_NAMED = 10;

/**
 * The one request that was meant: of a first attempt and those that repeat it the first.
 *
 * @throws CliError bad: there is none, or several.
 */
export function chooseRequest(
  { decision: wanted, request: text }: Reference,
  { requests, closed }: Related,
): FoundRequest {
  const exact = requests.filter(({ record }) => record.type === "decision" && record.id === wanted);
  const prefixed = requests.filter(
    ({ record }) => record.type === "decision" && wanted !== undefined && record.id.startsWith(wanted),
  );
  const candidates = exact.length > 0 ? exact : prefixed.length > 0 ? prefixed : requests;
  const originals = candidates.filter(({ record }) => !(record.type === "decision" && record.repeats !== undefined));
  const chosen = originals.length > 0 ? originals : candidates;
  const [first, ...others] = chosen;
  if (first === undefined)
    throw new CliError(
      "bad",
      `no decision or request ${text} in these ledgers${
        closed === 0
          ? ": name others with --ledger DIR; what was just decided may take a second to be written"
          : `, but ${formatCount(closed)} records are encrypted: give their key with --encryption-key FILE`
      }`,
    );
  if (others.length > 0)
    throw new CliError(
      "bad",
      `${formatCount(chosen.length)} requests begin with ${text}: ${chosen
        .slice(0, MAX_NAMED)
        .map(
          ({ record }) =>
            `${record.type === "decision" ? record.id : record.request} (${record.time}, ${whoOf(record)}, ${whatOf(record)})`,
        )
        .join("; ")}${chosen.length > MAX_NAMED ? "; …" : ""}`,
    );
  return first;
}
