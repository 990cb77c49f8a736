import { type LedgerIdentity, LedgerVerifier, type VerifyReport } from "@hedgerow/ledger";
import { readCheckpoints, readLines, readRecords, verifyDirectory } from "@hedgerow/ledger/store";
import type { WitnessedLedger } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import type { LedgerProblem, LedgerReport, LedgerState } from "./ledger-report.ts";
import { type LedgerDirectory, unlessUnreadable } from "./open-ledgers.ts";
import type { Trust } from "./trust.ts";

/** Problems of which the record is looked up; a ledger that was rewritten has as many as records. */
const MAX_NAMED = 20;
const FINDING_LIMIT = 100;

/** Verifies one ledger against all there is. @throws CliError usage: a file can't be read. */
export async function verifyLedger({ directory, identity }: LedgerDirectory, trust: Trust): Promise<LedgerReport> {
  const unknown = { ledger: null, node: null, spiffe: null, policy: null, ...nothingRead };
  if (identity === undefined)
    return {
      ...unknown,
      directory,
      state: "damaged",
      problems: [problem(`${directory} holds segments, and no ledger.json that says whose they are`)],
    };
  const witnessed = trust.witnessed?.get(identity.ledger);
  return await unlessUnreadable(directory, async () => {
    const report =
      trust.roots.length === 0
        ? await verifyChain(directory, identity)
        : await verifyDirectory(directory, {
            roots: trust.roots,
            findingLimit: FINDING_LIMIT,
            ...(witnessed === undefined || witnessed.checkpoint === ""
              ? {}
              : {
                  witnessed: {
                    checkpoint: witnessed.checkpoint,
                    ...(witnessed.witness && { witness: witnessed.witness }),
                  },
                }),
          });
    const strangers = witnessed === undefined ? [] : otherIdentity(identity, witnessed);
    const problems = [...strangers, ...(await nameProblems(directory, report))];
    const { ledger, node, spiffe, policy } = identity;
    const lastSeq = report.last?.seq ?? -1;
    return {
      directory,
      ledger,
      node,
      spiffe,
      policy,
      state: stateOf(report, problems.length, witnessed !== undefined, trust.roots.length > 0),
      records: report.records,
      segments: report.segments,
      deletedSegments: report.deletedSegments.reduce((sum, { from, to }) => sum + to - from + 1, 0),
      checkpoints: await countCheckpoints(directory),
      witnessedAt: report.witnessedAt === undefined ? null : new Date(report.witnessedAt * 1000).toISOString(),
      witnessedSeq: report.witnessedTo ?? null,
      uncovered: Math.max(0, lastSeq - (report.witnessedTo ?? -1)),
      problems,
      problemsLeftOut: report.moreFindings,
    };
  });
}

const nothingRead = {
  records: 0,
  segments: 0,
  deletedSegments: 0,
  checkpoints: 0,
  witnessedAt: null,
  witnessedSeq: null,
  uncovered: 0,
  problemsLeftOut: 0,
} as const;

/** A ledger that the witness knows, and that is nowhere here. */
export function missingLedger({ ledger, nodeId, spiffeId, policy, closed }: WitnessedLedger): LedgerReport {
  return {
    ...nothingRead,
    directory: null,
    ledger,
    node: nodeId,
    spiffe: spiffeId,
    policy,
    state: "missing",
    problems: [
      problem(
        `the witness knows ${closed ? "the closed" : "this"} ledger ${ledger}, and it is in none of the directories`,
      ),
    ],
  };
}

function problem(message: string): LedgerProblem {
  return { message, segment: null, seq: null, decision: null };
}

function otherIdentity(identity: LedgerIdentity, { nodeId, policy }: WitnessedLedger): readonly LedgerProblem[] {
  const differing = [
    ...(identity.node === nodeId ? [] : [`it is of ${nodeId}, not of ${identity.node}`]),
    ...(identity.policy === policy ? [] : [`its policy is ${policy}, not ${identity.policy}`]),
  ];
  return differing.length === 0
    ? []
    : [problem(`ledger.json was altered: the witness says that ${differing.join(", and ")}`)];
}

function stateOf(report: VerifyReport, problems: number, isWitnessed: boolean, hasRoots: boolean): LedgerState {
  if (problems > 0) return "damaged";
  if (!hasRoots || report.signedTo === undefined) return "chained";
  return isWitnessed && report.witnessedTo !== undefined ? "verified" : "signed";
}

/** Without roots: the chain alone, which shows accidents, and nothing about who wrote it. */
async function verifyChain(directory: string, identity: LedgerIdentity): Promise<VerifyReport> {
  const verifier = new LedgerVerifier({ identity, roots: [], findingLimit: FINDING_LIMIT });
  let open: number | undefined;
  for await (const { segment, lines, unfinishedBytes } of readLines(directory, { segment: 0, offset: 0 })) {
    if (segment !== open) verifier.beginSegment(segment);
    open = segment;
    for (const line of lines) verifier.addLine(line);
    verifier.endSegment(unfinishedBytes);
  }
  return verifier.finish();
}

async function countCheckpoints(directory: string): Promise<number> {
  let number = 0;
  for await (const _ of readCheckpoints(directory)) number += 1;
  return number;
}

/** Adds the decision id of the record that is wrong, where it stands there in the clear. */
async function nameProblems(directory: string, { findings }: VerifyReport): Promise<readonly LedgerProblem[]> {
  const named: LedgerProblem[] = [];
  for (const { message, segment, seq } of findings) {
    const decision =
      named.length < MAX_NAMED && segment !== undefined && seq !== undefined
        ? await decisionAt(directory, segment, seq)
        : undefined;
    named.push({
      message: decision === undefined ? message : `${message} (decision ${decision})`,
      segment: segment ?? null,
      seq: seq ?? null,
      decision: decision ?? null,
    });
  }
  return named;
}

async function decisionAt(directory: string, segment: number, seq: number): Promise<string | undefined> {
  const range = { from: { segment, offset: 0 }, until: { segment: segment + 1, offset: 0 } };
  for await (const batch of readRecords(directory, range))
    for (const { record } of batch)
      if (record !== undefined && record.seq === seq && "type" in record && "id" in record) return String(record.id);
  return undefined;
}
