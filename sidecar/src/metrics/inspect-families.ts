import type { Family } from "./family.ts";

/** What inspection counts, since the agent started. */
export interface InspectMetrics {
  readonly allowed: number;
  readonly denied: number;
  /** Requests whose decision could not be recorded, or that came for a port that is not known. */
  readonly failures: number;
  /** Of requests that are being inspected. */
  readonly bytes: number;
  readonly ledgers: readonly LedgerMetrics[];
  /** Records are lost with the machine or the pod, and no sink has them for sure. */
  readonly volatile: boolean;
}

export interface LedgerMetrics {
  /** NAMESPACE/NAME of the AuditPolicy: as many as have ever governed this workload. */
  readonly policy: string;
  readonly records: number;
  readonly failures: number;
  readonly missed: number;
  readonly pending: number;
  readonly segments: number;
  readonly sinks: readonly { readonly name: string; readonly lagRecords: number; readonly failures: number }[];
}

export function inspectFamilies(metrics: InspectMetrics): readonly Family[] {
  const { ledgers } = metrics;
  const each = (value: (ledger: LedgerMetrics) => number) =>
    ledgers.map((ledger) => [`{policy="${ledger.policy}"}`, value(ledger)] as const);
  const sinks = ledgers.flatMap(({ policy, sinks: of }) =>
    of.map((sink) => ({ labels: `{policy="${policy}",sink="${sink.name}"}`, sink })),
  );
  return [
    [
      "hedgerow_inspect_requests_total",
      "counter",
      "Requests decided by the agent",
      [
        ['{verdict="allow"}', metrics.allowed],
        ['{verdict="deny"}', metrics.denied],
      ],
    ],
    [
      "hedgerow_inspect_failures_total",
      "counter",
      "Requests whose decision could not be recorded",
      [["", metrics.failures]],
    ],
    ["hedgerow_inspect_bytes", "gauge", "Bytes of requests under inspection", [["", metrics.bytes]]],
    ["hedgerow_ledger_records_total", "counter", "Records written", each(({ records }) => records)],
    [
      "hedgerow_ledger_failures_total",
      "counter",
      "Records that could not be written",
      each(({ failures }) => failures),
    ],
    ["hedgerow_ledger_missing_total", "counter", "Requests answered without a record", each(({ missed }) => missed)],
    ["hedgerow_ledger_pending", "gauge", "Decisions whose outcome is not known yet", each(({ pending }) => pending)],
    ["hedgerow_ledger_segments", "gauge", "Segments begun", each(({ segments }) => segments)],
    [
      "hedgerow_ledger_sink_lag_records",
      "gauge",
      "Records that a sink has not acknowledged",
      sinks.map(({ labels, sink }) => [labels, sink.lagRecords]),
    ],
    [
      "hedgerow_ledger_sink_failures_total",
      "counter",
      "Failed attempts to write to a sink",
      sinks.map(({ labels, sink }) => [labels, sink.failures]),
    ],
    [
      "hedgerow_ledger_volatile",
      "gauge",
      "1 where records would be lost with the machine or the pod",
      ledgers.length === 0 ? [] : [["", Number(metrics.volatile)]],
    ],
  ];
}
