import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Finding } from "./finding.ts";
import { genesisOf, toHex } from "./hash.ts";
import { encodeLine } from "./line.ts";
import { MerkleTree } from "./merkle.ts";
import { LedgerVerifier } from "./verifier.ts";

const ledger = randomUUID();
const identity = {
  format: 1,
  ledger,
  node: "models/a",
  spiffe: "spiffe://test/ns/models/sa/a",
  policy: "models/audit",
} as const;
const RECORDS = 30;

/** One open segment. */
const lines: readonly Buffer[] = (() => {
  let head = genesisOf(ledger);
  return Array.from({ length: RECORDS }, (_, seq) => {
    const opening = { type: "segment.opened", ...identity, segment: 0, previous: toHex(head) };
    const body = seq === 0 ? opening : { type: "decision", id: `D${seq}`, model: "tabular" };
    const encoded = encodeLine(JSON.stringify({ seq, time: "2026-01-01T00:00:00.000Z", ...body }), head);
    head = encoded.head;
    return encoded.line;
  });
})();
const whole = Buffer.concat(lines);

function findingsOf(bytes: Buffer): {
  readonly findings: readonly Finding[];
  readonly unfinishedBytes: number;
  readonly last: number;
} {
  const verifier = new LedgerVerifier({ identity, roots: [] });
  verifier.beginSegment(0);
  const copy = Buffer.from(bytes);
  let start = 0;
  for (let end = copy.indexOf(10); end !== -1; end = copy.indexOf(10, start)) {
    verifier.addLine(copy.subarray(start, end));
    start = end + 1;
  }
  verifier.endSegment(copy.length - start);
  const { findings, unfinishedBytes, last } = verifier.finish();
  // What was read is as it was.
  expect(copy.equals(bytes)).toBe(true);
  return { findings, unfinishedBytes, last: last?.seq ?? -1 };
}

/** The record in whose line a byte lies. */
function recordAt(offset: number): number {
  let end = 0;
  return lines.findIndex((line) => {
    end += line.length;
    return offset < end;
  });
}

const record = (min: number, max = RECORDS - 1) => fc.integer({ min, max });

test("a whole ledger has no findings", () => {
  expect(findingsOf(whole)).toEqual({ findings: [], unfinishedBytes: 0, last: RECORDS - 1 });
});

test("any flipped bit is found, and its record is the first that is named", () => {
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(7), (offset, bit) => {
      const bytes = Buffer.from(whole);
      bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
      const { findings, unfinishedBytes, last } = findingsOf(bytes);
      const seq = recordAt(offset);
      // The last line without its end is a tail that is being written: what a checkpoint says of it is another matter.
      const isTail = offset === whole.length - 1;
      expect(isTail ? { seq: last + 1 } : findings[0], `byte ${offset}`).toMatchObject({ seq });
      expect(unfinishedBytes).toBe(isTail ? lines.at(-1)?.length : 0);
    }),
    { numRuns: 2000 },
  );
});

test("any run of records that is removed is found and named, unless it is the tail", () => {
  fc.assert(
    fc.property(record(1), record(1, 5), (from, count) => {
      const { findings, last } = findingsOf(Buffer.concat(lines.toSpliced(from, count)));
      const to = from + count - 1;
      const isTail = to >= RECORDS - 1;
      const missing = { kind: "missing", seq: from, ...(count > 1 ? { toSeq: to } : {}) };
      expect(findings).toMatchObject(isTail ? [] : [missing]);
      expect(last).toBe(isTail ? from - 1 : RECORDS - 1);
    }),
  );
});

test("any record that is moved is found and named", () => {
  fc.assert(
    fc.property(record(1), record(1), (from, to) => {
      const moved = lines[from];
      fc.pre(moved !== undefined && from !== to && Math.max(from, to) < RECORDS - 1);
      const { findings } = findingsOf(Buffer.concat(lines.toSpliced(from, 1).toSpliced(to, 0, moved)));
      expect(findings).toHaveLength(1);
      // Of two that changed places either may be said to have moved.
      const named = Math.abs(from - to) === 1 ? [from, to] : [from];
      expect(findings[0]?.kind).toBe("reordered");
      expect(named).toContain(findings[0]?.seq);
    }),
  );
});

test("any record that stands there again is found", () => {
  fc.assert(
    fc.property(record(1), record(2), (seq, before) => {
      const again = lines[seq];
      fc.pre(again !== undefined && before > seq);
      const { findings } = findingsOf(Buffer.concat(lines.toSpliced(before, 0, again)));
      const isNext = before === seq + 1;
      expect(findings).toMatchObject([isNext ? { kind: "duplicated", seq } : { kind: "inserted", seq: before }]);
    }),
  );
});

/** What a verifier says of segments whose records these are, chained by someone who can; `end` closes its segment. */
function findingsOfSegments(...segments: readonly (readonly ("decision" | "end")[])[]): readonly string[] {
  const verifier = new LedgerVerifier({ identity, roots: [] });
  let head = genesisOf(ledger);
  let seq = 0;
  for (const [segment, records] of segments.entries()) {
    const tree = new MerkleTree();
    verifier.beginSegment(segment);
    const add = (body: object) => {
      const { line, leaf, ...encoded } = encodeLine(
        JSON.stringify({ seq: seq++, time: "2026-01-01T00:00:00.000Z", ...body }),
        head,
      );
      head = encoded.head;
      verifier.addLine(line.subarray(0, -1));
      tree.append(leaf);
    };
    add({ type: "segment.opened", ...identity, segment, previous: toHex(head) });
    for (const record of records) {
      if (record === "decision") add({ type: "decision", id: `D${seq}` });
      else add({ type: "segment.closed", segment, records: tree.size, root: toHex(tree.root()) });
    }
    verifier.endSegment();
  }
  return verifier.finish().findings.map(({ kind, seq: at }) => `${kind} ${at}`);
}

test("a segment ends with its last record, and none follows one that has no end", () => {
  expect(findingsOfSegments(["decision", "end"], ["decision"])).toEqual([]);
  expect(findingsOfSegments(["decision", "end", "decision"], ["decision"])).toEqual(["after_end 3"]);
  expect(findingsOfSegments(["decision"], ["decision"])).toEqual([expect.stringContaining("segment_unclosed")]);
});

test("nothing makes it throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(whole.length), (junk, at) => {
      const bytes = Buffer.concat([whole.subarray(0, at), junk, Buffer.of(10), whole.subarray(at)]);
      expect(findingsOf(bytes).findings.length).toBeGreaterThan(0);
    }),
  );
});
