import { describe, expect, it } from "vitest";
import { decision, denial, digitsLedger, outcome, policyEdit, written } from "../testing/records.ts";
import { csvHeader, csvRow } from "./csv.ts";
import type { Entry, EntryRecord } from "./entry.ts";

const entry = (record: EntryRecord): Entry => ({ ledger: digitsLedger, segment: 0, record });
const cells = (line: string) => line.trimEnd().split(",");

describe("CSV", () => {
  it("has as many cells in a row as in the header", () => {
    expect(
      cells(csvRow({ ...entry(written(1, denial("A", { inputs: [] }))), outcome: written(2, outcome("A")) })),
    ).toHaveLength(cells(csvHeader).length);
    expect(csvHeader).toMatch(/^time,ledger,node,segment,seq,type,verdict,decision,.*\r\n$/);
  });

  it.each([
    ["a formula", "=HYPERLINK(1)", "'=HYPERLINK(1)"],
    ["a command", "+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"],
    ["a function", "@SUM(1)", "'@SUM(1)"],
    ["a minus", "-1+1", "'-1+1"],
    ["a formula behind white space", "\t =1", "'  =1"],
    ["a full-width formula", "\uff1d1", "'\uff1d1"],
    ["a quotation", 'a"b', '"a""b"'],
    ["another row", "a\r\n=1", "a  =1"],
    ["an escape sequence", "\u001b[2Ja", "\ufffd[2Ja"],
    ["a text that turns", "\u202eabc", "\ufffdabc"],
  ])("makes %s harmless", (_, name, expected) => {
    const row = csvRow(entry(written(1, decision("A", { model: name, version: "", inputs: [] }))));
    expect(row).toContain(`,${expected},`);
    expect(row.match(/\n/g)).toHaveLength(1);
  });

  it("names who edited a policy", () => {
    expect(csvRow(entry(written(1, policyEdit("update"))))).toContain(
      ",ada@bank.example,update AccessPolicy/models/digits,",
    );
  });
});
