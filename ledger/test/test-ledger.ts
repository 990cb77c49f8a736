import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Decision, StoredCheckpoint } from "../src/index.ts";
import { type LedgerOptions, type LedgerWriter, openLedger } from "../src/store/index.ts";
import { digestOf, type Signer, signCheckpoint, type TestAuthority } from "./authority.ts";

export const OWNER = { node: "models/tabular-1", spiffe: "spiffe://test/ns/models/sa/tabular", policy: "models/audit" };

/** A folder that goes away with what it is used by. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "hedgerow-ledger-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export function open(directory: string, more: Partial<LedgerOptions> = {}): Promise<LedgerWriter> {
  return openLedger({ directory, ...OWNER, durability: { each: false, everyMs: 1 }, ...more });
}

export function decision(number: number, method = "infer"): Decision {
  return {
    type: "decision",
    id: String(number).padStart(16, "0"),
    caller: "spiffe://test/ns/models/sa/caller",
    port: 8080,
    protocol: "grpc",
    method,
    model: "tabular",
    access: { policy: "models/access", generation: 1, rule: "0" },
    verdict: "allow",
    bodyBytes: number,
  };
}

/** A ledger of two closed segments and an open one, checkpointed and witnessed after each part of it. */
export interface WitnessedLedger {
  readonly directory: string;
  readonly ledger: string;
  /** What a witness remembers. */
  readonly remembered: StoredCheckpoint;
  readonly lastSeq: number;
}

export async function writeWitnessedLedger(
  directory: string,
  authority: TestAuthority,
  signer: Signer,
  { perSegment = 12, segments = 3 } = {},
): Promise<WitnessedLedger> {
  await using writer = await open(directory);
  const stored: StoredCheckpoint[] = [];
  const checkpoint = async () => {
    const claims = { ledger: writer.id, ...(await writer.flush()) };
    const before = stored.at(-1);
    const compact = signCheckpoint(signer, claims, before === undefined ? {} : { previous: digestOf(before) });
    stored.push({ checkpoint: compact, witness: await authority.witness(compact, claims) });
  };
  for (let segment = 0; segment < segments; segment++) {
    if (segment > 0) await writer.rollSegment();
    for (let index = 0; index < perSegment; index++) {
      await writer.append(decision(segment * perSegment + index));
      if (index === Math.floor(perSegment / 2)) await checkpoint();
    }
    await checkpoint();
  }
  const remembered = stored.at(-1);
  if (remembered === undefined) throw new Error("no checkpoint was made");
  await writeFile(join(directory, "checkpoints.jsonl"), stored.map((one) => `${JSON.stringify(one)}\n`).join(""));
  return { directory, ledger: writer.id, remembered, lastSeq: writer.tip().seq };
}

/** Lines of a segment, without their line feeds. */
export async function linesOf(directory: string, segment: number): Promise<string[]> {
  const text = await readFile(join(directory, segmentName(segment)), "utf8");
  return text.split("\n").slice(0, -1);
}

export async function writeLines(directory: string, segment: number, lines: readonly string[]): Promise<void> {
  await writeFile(join(directory, segmentName(segment)), lines.map((line) => `${line}\n`).join(""));
}

export const segmentName = (segment: number): string => `${String(segment).padStart(8, "0")}.jsonl`;

/** A copy of a ledger, to be spoilt. */
export async function copyOf(directory: string, target: string): Promise<string> {
  await cp(directory, target, { recursive: true });
  return target;
}

export const appendTo = (directory: string, segment: number, text: string): Promise<void> =>
  appendFile(join(directory, segmentName(segment)), text);
