import { describe, expect, it } from "vitest";
import { CliError } from "../errors.ts";
import { parseReference, parseSelection } from "./choose.ts";
import { parseTimeRange } from "./parse-time-range.ts";

const nowMs = Date.parse("2026-11-24T10:00:00Z");

describe("a moment", () => {
  it.each([
    ["2026-11-24", "2026-11-24T00:00:00.000Z"],
    ["2026-11-24T09:30:00Z", "2026-11-24T09:30:00.000Z"],
    ["2026-11-24T09:30+04:00", "2026-11-24T05:30:00.000Z"],
    ["24h", "2026-11-23T10:00:00.000Z"],
    ["1h30m", "2026-11-24T08:30:00.000Z"],
    ["7d", "2026-11-17T10:00:00.000Z"],
  ])("%s is %s", (from, expected) => {
    expect(new Date(parseTimeRange({ from }, nowMs).fromMs ?? 0).toISOString()).toBe(expected);
  });

  it.each(["", "yesterday", "2026-02-30", "2026-13-01", "2026-11-24T10:00:00", "1y", "-1h", "2026"])(
    "%j is none",
    (from) => {
      expect(() => parseTimeRange({ from }, nowMs)).toThrow(CliError);
    },
  );

  it("stands before another", () => {
    expect(() => parseTimeRange({ from: "1h", to: "2h" }, nowMs)).toThrow("--from 1h is not before --to 2h");
  });
});

describe("what a caller was told", () => {
  it.each([
    ["7q3f", { decision: "7Q3F", request: "7q3f" }],
    ["7Q3FK2M9D0Z4XN8B", { decision: "7Q3FK2M9D0Z4XN8B", request: "7Q3FK2M9D0Z4XN8B" }],
    ["r-1", { decision: undefined, request: "r-1" }],
    ["oIl0", { decision: "0110", request: "oIl0" }],
    ["2f6f9a1e-8e0f-4c4e-9f5d-6f1d3c8a1b2c", { decision: undefined, request: "2f6f9a1e-8e0f-4c4e-9f5d-6f1d3c8a1b2c" }],
  ])("%s", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each(["", "7Q3", "a"])("%j is neither", (text) => {
    expect(() => parseReference(text)).toThrow(/no decision id and no request id/);
  });
});

describe("options of a selection", () => {
  it.each([
    [{ type: ["decisions"] }, /--type decisions is none of decision, refusal/],
    [{ policy: "digits" }, /--policy digits is no NAMESPACE\/NAME/],
    [{ caller: "reader" }, /--caller reader is no caller: give NAMESPACE\/SERVICE-ACCOUNT/],
    [{ from: "x" }, /--from x is no time/],
  ])("%j is refused with what to do", (options, message) => {
    expect(() => parseSelection(options, nowMs)).toThrow(message);
  });
});
