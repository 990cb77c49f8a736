import { describe, expect, test } from "vitest";
import { judgeAudit } from "./judge.ts";

const report = (vulnerabilities: object) => JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata: {} });
const found = { left: { severity: "high", range: "<1.2.3" }, right: { severity: "moderate", range: "*" } };

describe("the answer of npm audit", () => {
  test.each([
    ["an empty report is clean", report({}), { kind: "clean" }],
    ["what is below the level is clean", report({ right: found.right }), { kind: "clean" }],
    ["what reaches the level is named", report(found), { kind: "vulnerable", lines: ["left <1.2.3: high"] }],
    [
      "a registry without the endpoint leaves it unknown",
      JSON.stringify({ message: "405 Method Not Allowed", statusCode: 405 }),
      { kind: "unknown", reason: "405 Method Not Allowed" },
    ],
    ["silence is not clean", "", { kind: "unknown", reason: "npm audit printed no report" }],
    [
      "a report of another version is not clean",
      '{"auditReportVersion":3}',
      { kind: "unknown", reason: "npm audit printed no report" },
    ],
  ])("%s", (_, text, expected) => {
    expect(judgeAudit(text, "high")).toEqual(expected);
  });
});
