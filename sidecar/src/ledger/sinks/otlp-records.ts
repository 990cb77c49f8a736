import type { LedgerIdentity } from "@hedgerow/ledger";
import type { CheckpointStretch, Stretch } from "./sink.ts";

/** A body of OTLP/HTTP in JSON: opentelemetry/proto/collector/logs/v1, ExportLogsServiceRequest; 64-bit numbers are text. */
export function encodeLogs(identity: LedgerIdentity, stretch: Stretch | CheckpointStretch, nowMs: number): Buffer {
  const lines = stretch.bytes.toString("utf8").trimEnd().split("\n");
  const observed = nanos(nowMs);
  const logRecords = lines.map((line) => {
    const about = "segment" in stretch ? recordAttributes(line, stretch.segment) : { type: "checkpoint" };
    return {
      timeUnixNano: about.timeMs === undefined ? observed : nanos(about.timeMs),
      observedTimeUnixNano: observed,
      severityNumber: SEVERITY_INFO,
      severityText: "INFO",
      // As it is stored, with its head: whoever collects the bodies in order of seq has the segment's file.
      body: { stringValue: line },
      attributes: [
        text("hedgerow.type", about.type),
        ...(about.seq === undefined ? [] : [{ key: "hedgerow.seq", value: { intValue: String(about.seq) } }]),
        ...("segment" in stretch ? [{ key: "hedgerow.segment", value: { intValue: String(stretch.segment) } }] : []),
      ],
    };
  });
  const resource = {
    attributes: [
      text("service.name", "hedgerow-ledger"),
      text("hedgerow.ledger", stretch.ledger),
      text("hedgerow.node", identity.node),
      text("hedgerow.spiffe", identity.spiffe),
      text("hedgerow.policy", identity.policy),
    ],
  };
  return Buffer.from(
    JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ scope: { name: "hedgerow.ledger" }, logRecords }] }] }),
  );
}

/** SEVERITY_NUMBER_INFO. */
const SEVERITY_INFO = 9;

interface About {
  readonly type: string;
  readonly seq?: number;
  readonly timeMs?: number;
}

function recordAttributes(line: string, segment: number): About {
  const payload: unknown = JSON.parse(line.slice(line.indexOf(" ") + 1));
  if (typeof payload !== "object" || payload === null) throw new Error(`segment ${segment} holds no record`);
  const { seq, time, type } = payload as Readonly<Record<string, unknown>>;
  const timeMs = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return {
    type: typeof type === "string" ? type : "encrypted",
    ...(typeof seq === "number" ? { seq } : {}),
    ...(Number.isNaN(timeMs) ? {} : { timeMs }),
  };
}

function text(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

function nanos(ms: number): string {
  return `${Math.trunc(ms)}000000`;
}
