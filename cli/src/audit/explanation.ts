import type { Decision, Outcome, RecordHeader, Refusal, TensorSummary } from "@hedgerow/ledger";
import type { FoundRequest, Related } from "./find-decision.ts";
import { explainReason, reasonOfRefusal } from "./reasons.ts";
import { explainDecision } from "./words.ts";

/** Whether the record stands where it says it does. */
export interface RecordCheck {
  /** `witnessed`, `signed`: a checkpoint of the workload alone; `uncovered`: none yet; `unchecked`: no roots; `damaged`. */
  readonly state: "witnessed" | "signed" | "uncovered" | "unchecked" | "damaged";
  readonly message: string;
}

export interface AttemptView {
  readonly id: string;
  readonly time: string;
  readonly node: string;
  readonly verdict: "allow" | "deny";
  /** It is known to repeat this request; else it has the same request id only, which callers choose. */
  readonly repeats: boolean;
  readonly outcome: (RecordHeader & Outcome) | null;
}

/** The stable shape of `hedgerow explain -o json|yaml` (docs/cli.md). */
export interface Explanation {
  readonly kind: "decision" | "refusal";
  /** Null: Envoy refused by itself, and told the request id. */
  readonly id: string | null;
  readonly request: string | null;
  readonly time: string;
  readonly verdict: "allow" | "deny";
  readonly status: number | null;
  readonly caller: string | null;
  readonly method: string;
  readonly protocol: string | null;
  readonly model: string | null;
  readonly version: string | null;
  readonly inputs: readonly TensorSummary[];
  readonly bodyBytes: number | null;
  readonly reason: string | null;
  /** Sentences. */
  readonly why: readonly string[];
  readonly outcome: (RecordHeader & Outcome) | null;
  /** A sentence. */
  readonly ended: string;
  readonly attempts: readonly AttemptView[];
  readonly recorded: {
    readonly ledger: string;
    readonly node: string;
    readonly policy: string;
    readonly directory: string;
    readonly segment: number;
    readonly seq: number;
  };
  readonly check: RecordCheck;
  /** As it stands in the ledger. */
  readonly record: RecordHeader & (Decision | Refusal);
}

export function explainRequest(found: FoundRequest, { requests, outcomes }: Related, check: RecordCheck): Explanation {
  const { ledger, segment, record } = found;
  const { identity, directory } = ledger;
  const common = {
    request: record.request ?? null,
    caller: record.caller ?? null,
    method: record.method,
    attempts: attemptsOf(found, requests, outcomes),
    recorded: {
      ledger: identity.ledger,
      node: identity.node,
      policy: identity.policy,
      directory,
      segment,
      seq: record.seq,
    },
    check,
    record,
  };
  if (record.type === "refusal") {
    const reason = reasonOfRefusal(record);
    return {
      ...common,
      kind: "refusal",
      id: null,
      time: record.at,
      verdict: "deny",
      status: record.status,
      method: `${record.method} ${record.path}`,
      protocol: null,
      model: null,
      version: null,
      inputs: [],
      bodyBytes: null,
      reason,
      why: [
        `${explainReason(reason)}${record.policy === undefined || record.policy === "" ? "" : ` (AccessPolicy ${record.policy})`}`,
        `the proxy refused it by itself (${record.details}); the model never saw it`,
      ],
      outcome: null,
      ended: `answered ${statusText(record.status, record.grpcStatus)}`,
    };
  }
  const outcome = outcomes.get(record.id);
  return {
    ...common,
    kind: "decision",
    id: record.id,
    time: record.time,
    verdict: record.verdict,
    status: record.status ?? null,
    protocol: record.protocol,
    model: record.model ?? null,
    version: record.version ?? null,
    inputs: record.inputs ?? [],
    bodyBytes: record.bodyBytes,
    reason: record.reason ?? null,
    why: explainDecision(record),
    outcome: outcome ?? null,
    ended: describeEnd(record, outcome),
  };
}

function attemptsOf(
  { record: chosen }: FoundRequest,
  requests: Related["requests"],
  outcomes: Related["outcomes"],
): readonly AttemptView[] {
  return requests.flatMap(({ ledger, record }) =>
    record.type === "refusal" || (chosen.type === "decision" && record.id === chosen.id)
      ? []
      : [
          {
            id: record.id,
            time: record.time,
            node: ledger.identity.node,
            verdict: record.verdict,
            repeats: chosen.type === "decision" && record.repeats === chosen.id,
            outcome: outcomes.get(record.id) ?? null,
          },
        ],
  );
}

function describeEnd({ verdict, status }: Decision, outcome: Outcome | undefined): string {
  if (outcome === undefined)
    return verdict === "deny"
      ? `to be answered ${status ?? "with a refusal"}; that it was is not recorded (yet)`
      : "not recorded (yet): it may still be under way";
  if (outcome.result === "unknown") return "unknown: the proxy stopped before it said so";
  const { durationMs, upstream, attempts } = outcome;
  return [
    `answered ${outcome.status === undefined ? "" : statusText(outcome.status, outcome.grpcStatus)}`.trim(),
    durationMs === undefined ? "" : ` after ${durationMs} ms`,
    verdict === "deny" || upstream === undefined || upstream === "" || upstream === "-" ? "" : ` by ${upstream}`,
    attempts === undefined || attempts < 2 ? "" : `, in ${attempts} attempts`,
    outcome.flags === undefined || outcome.flags === "" || outcome.flags === "-"
      ? ""
      : ` (Envoy's flags ${outcome.flags})`,
  ].join("");
}

const statusText = (status: number, grpcStatus: number | undefined): string =>
  grpcStatus === undefined ? String(status) : `${status}, gRPC status ${grpcStatus}`;
