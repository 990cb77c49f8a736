import type { ClusterFacts } from "./facts.ts";
import { textAt } from "./fields.ts";
import { type Finding, reporterOf } from "./finding.ts";

/** Certificates are valid from 30 s before they are made; half of that is for what else may be amiss. */
const allowedMs = 15_000;
/** The leader renews its lease every 2 s, and an answer's Date has whole seconds. */
const leaseAgeMs = 4_000;

/** The clocks of this machine, of the API server and of the control plane's leader. */
export function judgeClocks({ nowMs, serverTimeMs, lease, leaseMoved }: ClusterFacts): readonly Finding[] {
  const { good, bad, unseen } = reporterOf("clocks");
  if (!serverTimeMs.ok) return [unseen("the API server's clock", serverTimeMs.why)];
  const here = nowMs - serverTimeMs.value;
  const findings: Finding[] = [];
  if (Math.abs(here) > allowedMs)
    findings.push(
      bad(
        `this machine's clock is ${apart(here)} the API server's`,
        "certificates made here or there are not valid yet, or too early over: use NTP",
      ),
    );
  const renewed = Date.parse((lease.ok ? textAt(lease.value, "spec", "renewTime") : undefined) ?? "");
  // An old lease says something of a clock only where it is renewed all the same.
  if (!Number.isNaN(renewed) && leaseMoved !== false) {
    const leader = renewed - serverTimeMs.value;
    if (leader > allowedMs || leader < -(allowedMs + leaseAgeMs))
      findings.push(
        bad(
          `the control plane's clock is ${apart(leader)} the API server's`,
          "its certificates are not valid yet, or too early over: use NTP on its node",
        ),
      );
  }
  return findings.length > 0 ? findings : [good("the clocks agree")];
}

function apart(ms: number): string {
  return `${Math.round(Math.abs(ms) / 1000)} s ${ms > 0 ? "ahead of" : "behind"}`;
}
