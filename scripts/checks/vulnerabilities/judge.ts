// What `npm audit --json` said.
import { z } from "zod";

export type Judgement =
  | { readonly kind: "clean" }
  /** One line for each package with a known vulnerability of at least the level asked for. */
  | { readonly kind: "vulnerable"; readonly lines: readonly string[] }
  /** The registry gave no answer about vulnerabilities: nothing is known. */
  | { readonly kind: "unknown"; readonly reason: string };

const levels = ["info", "low", "moderate", "high", "critical"] as const;
type Level = (typeof levels)[number];

const reportSchema = z.object({
  auditReportVersion: z.literal(2),
  vulnerabilities: z.record(z.string(), z.object({ severity: z.enum(levels), range: z.string() })),
});
const failureSchema = z.object({ message: z.string() });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `text` is the whole of npm's standard output. */
export function judgeAudit(text: string, atLeast: Level): Judgement {
  const answer = parseJson(text);
  const report = reportSchema.safeParse(answer);
  if (!report.success) {
    const failure = failureSchema.safeParse(answer);
    return { kind: "unknown", reason: failure.success ? failure.data.message : "npm audit printed no report" };
  }
  const lines = Object.entries(report.data.vulnerabilities)
    .filter(([, { severity }]) => levels.indexOf(severity) >= levels.indexOf(atLeast))
    .map(([name, { severity, range }]) => `${name} ${range}: ${severity}`);
  return lines.length === 0 ? { kind: "clean" } : { kind: "vulnerable", lines };
}
