import {
  type Decision,
  isSealed,
  type LedgerRecord,
  type Outcome,
  parseLine,
  parsePayload,
  type RecordHeader,
  type Refusal,
} from "@hedgerow/ledger";
import { readLines } from "@hedgerow/ledger/store";
import type { Reference } from "./choose.ts";
import { type KnownLedger, unlessUnreadable } from "./open-ledgers.ts";
import { readOpenRecords } from "./read-entries.ts";

/** What a person can ask about: what the caller was told an id of. */
export interface FoundRequest {
  readonly ledger: KnownLedger;
  readonly segment: number;
  readonly record: RecordHeader & (Decision | Refusal);
}

export interface Related {
  readonly requests: readonly FoundRequest[];
  /** Outcomes by decision id. */
  readonly outcomes: ReadonlyMap<string, RecordHeader & Outcome>;
  /** Records that are encrypted, and for which there is no key. */
  readonly closed: number;
}

/** Enough to say that there are too many. */
const MAX_FOUND = 1_000;

/**
 * Every decision and refusal with that id or request id, wherever it is, and the outcomes of decisions whose id begins so.
 *
 * @throws CliError usage: a file can't be read.
 */
export async function findRequests(
  ledgers: readonly KnownLedger[],
  keys: readonly Buffer[],
  { decision, request }: Reference,
): Promise<Related> {
  const requests: FoundRequest[] = [];
  const outcomes = new Map<string, RecordHeader & Outcome>();
  let closed = 0;
  for (const ledger of ledgers)
    for await (const batch of readCandidates(ledger, keys, [request, ...(decision === undefined ? [] : [decision])])) {
      closed += batch.closed;
      for (const { segment, record } of batch.records) {
        if (requests.length >= MAX_FOUND) return { requests, outcomes, closed };
        if (record.type === "outcome" && decision !== undefined && record.id.startsWith(decision))
          outcomes.set(record.id, record);
        else if (record.type === "decision" || record.type === "refusal") {
          const isIt =
            record.request === request ||
            (record.type === "decision" &&
              decision !== undefined &&
              (record.id.startsWith(decision) || (record.repeats?.startsWith(decision) ?? false)));
          if (isIt) requests.push({ ledger, segment, record });
        }
      }
    }
  return { requests, outcomes, closed };
}

/** Records that may hold one of the texts: without a key only the lines that do are read as JSON. */
async function* readCandidates(ledger: KnownLedger, keys: readonly Buffer[], texts: readonly string[]) {
  if (keys.length > 0) {
    yield* readOpenRecords(ledger, keys);
    return;
  }
  // As they stand in JSON.
  const needles = texts.map((text) => Buffer.from(JSON.stringify(text).slice(1, -1)));
  const holdsOne = (bytes: Buffer): boolean => needles.some((needle) => bytes.includes(needle));
  const batches = readLines(ledger.directory, { segment: 0, offset: 0 });
  for (;;) {
    const next = await unlessUnreadable(ledger.directory, () => batches.next());
    if (next.done === true) return;
    const { segment, lines, bytes } = next.value;
    const first = lines[0] === undefined ? undefined : parsePayload(parseLine(lines[0]).payload);
    // Of an encrypted segment only the first and last record are open.
    const closed =
      first !== undefined && (isSealed(first) || (first.type === "segment.opened" && first.kid !== undefined))
        ? lines.length
        : 0;
    const records: { segment: number; record: LedgerRecord }[] = [];
    if (holdsOne(bytes))
      for (const line of lines) {
        if (!holdsOne(line)) continue;
        const record = parsePayload(parseLine(line).payload);
        if (record !== undefined && !isSealed(record)) records.push({ segment, record });
      }
    yield { records, closed };
  }
}
