import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FindingKind } from "../src/index.ts";
import { encodeLine, fromHex, genesisOf, headAfter, leafOf, MerkleTree, toHex } from "../src/index.ts";
import { appendTo, linesOf, segmentName, writeLines } from "./test-ledger.ts";

export interface Damage {
  readonly name: string;
  readonly apply: (directory: string, ledger: string) => Promise<void>;
  /** First finding, and the record that it names. */
  readonly kind: FindingKind;
  readonly seq?: number;
  /** What the independent verifier calls the first record that is not in its place, where that is another. */
  readonly independentSeq?: number;
}

async function editLines(directory: string, segment: number, edit: (lines: string[]) => readonly string[]) {
  await writeLines(directory, segment, edit(await linesOf(directory, segment)));
}

const at = (lines: readonly string[], index: number): string => {
  const line = lines.at(index);
  if (line === undefined) throw new Error(`no line ${index}`);
  return line;
};

/** Lines anew, with heads and root that fit them: what who holds the disk can do. */
async function rewriteChain(
  directory: string,
  ledger: string,
  edit: (payload: string, seq: number) => string,
): Promise<void> {
  let head = genesisOf(ledger);
  let seq = 0;
  for (let segment = 0; segment < 3; segment++) {
    const tree = new MerkleTree();
    await editLines(directory, segment, (lines) =>
      lines.map((line) => {
        let payload = edit(line.slice(65), seq++);
        if (payload.includes('"segment.opened"'))
          payload = payload.replace(/"previous":"\w+"/, `"previous":"${toHex(head)}"`);
        if (payload.includes('"segment.closed"'))
          payload = payload.replace(/"root":"\w+"/, `"root":"${toHex(tree.root())}"`);
        const leaf = leafOf(Buffer.from(payload));
        tree.append(leaf);
        head = headAfter(head, leaf);
        return `${toHex(head)} ${payload}`;
      }),
    );
  }
}

/** A record more, bound to the chain: what who writes the ledger can do. */
async function continueChain(directory: string, payload: string): Promise<void> {
  const previous = fromHex(at(await linesOf(directory, 2), -1).slice(0, 64)) ?? "";
  await appendTo(directory, 2, encodeLine(payload, previous).line.toString());
}

async function editCheckpoints(directory: string, edit: (lines: string[]) => readonly string[]): Promise<void> {
  const path = join(directory, "checkpoints.jsonl");
  const lines = edit((await readFile(path, "utf8")).split("\n").slice(0, -1));
  await writeFile(path, lines.map((line) => `${line}\n`).join(""));
}

/**
 * What is done to a ledger of three segments with 12 decisions each: segment 0 has records 0 to 13, 1 has 14 to 27, 2 has 28 to 40.
 * Checkpoints stand after records 7, 12, 21, 26, 35 and 40.
 */
export const DAMAGES: readonly Damage[] = [
  {
    name: "a bit of a payload flipped",
    apply: (directory) =>
      editLines(directory, 1, (lines) => lines.with(4, at(lines, 4).replace('"bodyBytes":', '"bodyByues":'))),
    kind: "altered",
    seq: 18,
  },
  {
    name: "a number changed",
    apply: (directory) =>
      editLines(directory, 1, (lines) => lines.with(4, at(lines, 4).replace('{"seq":18', '{"seq":19'))),
    kind: "altered",
    seq: 18,
  },
  {
    name: "a head changed",
    apply: (directory) =>
      editLines(directory, 1, (lines) =>
        lines.with(
          4,
          at(lines, 4).replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
        ),
      ),
    kind: "head_altered",
    seq: 18,
  },
  {
    name: "a line that is none",
    apply: (directory) => editLines(directory, 1, (lines) => lines.with(4, "nothing")),
    kind: "altered",
    seq: 18,
  },
  {
    name: "a record removed",
    apply: (directory) => editLines(directory, 0, (lines) => lines.toSpliced(5, 1)),
    kind: "missing",
    seq: 5,
  },
  {
    name: "several records removed",
    apply: (directory) => editLines(directory, 0, (lines) => lines.toSpliced(5, 4)),
    kind: "missing",
    seq: 5,
  },
  {
    name: "two records exchanged",
    apply: (directory) => editLines(directory, 0, (lines) => lines.with(5, at(lines, 6)).with(6, at(lines, 5))),
    kind: "reordered",
    seq: 6,
    independentSeq: 5,
  },
  {
    name: "a record moved far back",
    apply: (directory) => editLines(directory, 0, (lines) => lines.toSpliced(5, 1).toSpliced(9, 0, at(lines, 5))),
    kind: "reordered",
    seq: 5,
  },
  {
    name: "a record twice",
    apply: (directory) => editLines(directory, 0, (lines) => lines.toSpliced(6, 0, at(lines, 5))),
    kind: "duplicated",
    seq: 5,
    independentSeq: 6,
  },
  {
    name: "a record of earlier in between",
    apply: (directory) => editLines(directory, 0, (lines) => lines.toSpliced(9, 0, at(lines, 5))),
    kind: "inserted",
    seq: 9,
  },
  {
    name: "a made-up record in between",
    apply: (directory) =>
      editLines(directory, 0, (lines) =>
        lines.toSpliced(9, 0, at(lines, 9).replace('"model":"tabular"', '"model":"other"')),
      ),
    kind: "inserted",
    seq: 9,
  },
  {
    name: "the tail cut at a line",
    apply: (directory) => editLines(directory, 2, (lines) => lines.slice(0, -3)),
    kind: "cut",
    seq: 38,
  },
  {
    name: "the tail cut in a line",
    apply: (directory) =>
      editLines(directory, 2, (lines) => lines.slice(0, -1)).then(() => appendTo(directory, 2, "0123456789")),
    kind: "cut",
    seq: 40,
  },
  {
    name: "the tail cut, and the checkpoints of it",
    apply: async (directory) => {
      await editLines(directory, 2, (lines) => lines.slice(0, 4));
      await editCheckpoints(directory, (lines) => lines.slice(0, 4));
    },
    kind: "cut",
    seq: 32,
  },
  {
    name: "a segment missing in the middle",
    apply: (directory) => rm(join(directory, segmentName(1))),
    kind: "segment_missing",
    seq: 14,
  },
  { name: "the last segment missing", apply: (directory) => rm(join(directory, segmentName(2))), kind: "cut", seq: 28 },
  {
    name: "the first segment missing",
    apply: (directory) => rm(join(directory, segmentName(0))),
    kind: "segment_missing",
    seq: 0,
  },
  {
    name: "two segments exchanged",
    apply: async (directory) => {
      const [a, b, c] = [join(directory, segmentName(0)), join(directory, segmentName(1)), join(directory, "x")];
      await rename(a, c);
      await rename(b, a);
      await rename(c, b);
    },
    kind: "segment_swapped",
    seq: 0,
  },
  {
    name: "the end of a segment removed",
    apply: (directory) => editLines(directory, 0, (lines) => lines.slice(0, -1)),
    kind: "missing",
    seq: 13,
  },
  {
    name: "the chain written anew over a changed record",
    apply: (directory, ledger) =>
      rewriteChain(directory, ledger, (payload, seq) =>
        seq === 18 ? payload.replace('"tabular"', '"other"') : payload,
      ),
    kind: "checkpoint_contradicts",
    // One of those between two checkpoints.
    seq: 13,
  },
  {
    name: "a Merkle root changed, and the chain written anew",
    apply: async (directory) => {
      await editLines(directory, 0, (lines) => {
        const payload = at(lines, -1)
          .slice(65)
          .replace(/"root":"\w+"/, `"root":"${"0".repeat(64)}"`);
        const head = headAfter(
          Buffer.from(at(lines, -2).slice(0, 64), "hex").toString("latin1"),
          leafOf(Buffer.from(payload)),
        );
        return lines.with(-1, `${toHex(head)} ${payload}`);
      });
    },
    kind: "root",
    seq: 13,
  },
  {
    name: "a checkpoint removed",
    apply: (directory) => editCheckpoints(directory, (lines) => lines.toSpliced(2, 1)),
    kind: "checkpoint",
    seq: 26,
  },
  {
    name: "a checkpoint changed",
    apply: (directory) => editCheckpoints(directory, (lines) => lines.with(2, at(lines, 2).replace(/\.(..)/, ".AA"))),
    kind: "checkpoint",
  },
  {
    name: "a countersignature of another checkpoint",
    apply: (directory) =>
      editCheckpoints(directory, (lines) => {
        const witness = /"witness":"[^"]+"/.exec(at(lines, 0))?.[0] ?? "";
        return lines.with(2, at(lines, 2).replace(/"witness":"[^"]+"/, witness));
      }),
    kind: "witness",
    seq: 21,
  },
  {
    name: "bytes that are no record at the end of a segment",
    apply: (directory) => appendTo(directory, 0, "0123"),
    kind: "trailing",
    independentSeq: 14,
  },
  {
    name: "a segment under a name that none has",
    apply: (directory) => rename(join(directory, segmentName(1)), join(directory, `0${segmentName(1)}`)),
    kind: "segment_missing",
    seq: 14,
  },
  {
    name: "another policy in ledger.json",
    apply: async (directory) => {
      const path = join(directory, "ledger.json");
      await writeFile(path, (await readFile(path, "utf8")).replace("models/audit", "models/other"));
    },
    kind: "segment_swapped",
    seq: 0,
  },
  {
    name: "a line that is bound to the chain, and no record",
    apply: (directory) => continueChain(directory, "anything"),
    kind: "altered",
    seq: 41,
  },
  {
    name: "a record about a segment that can't be read",
    apply: (directory) => continueChain(directory, '{"seq":41,"type":"segment.deleted"}'),
    kind: "unreadable",
    seq: 41,
  },
  {
    name: "a record that a segment was deleted, which is there and another",
    apply: (directory) =>
      continueChain(directory, '{"seq":41,"type":"segment.deleted","segment":0,"records":9,"root":"","head":""}'),
    kind: "deletion",
    seq: 41,
  },
];
