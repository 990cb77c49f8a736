import type { ConnectionRefused, Outcome, RecordBody, Refusal } from "@hedgerow/ledger";

/** Longer texts are cut: whoever is refused chooses his path, and must not choose how much we write. */
const MAX_TEXT = 1024;
const DECISION_ID = /^[0-9A-HJKMNP-TV-Z]{16}$/;

/** What a line of Envoy's log for us says, and which ledger it belongs to. */
export type OutcomeLine = {
  /** NAMESPACE/NAME of the AuditPolicy, as the route has it; absent: the port's. */
  readonly ledger?: string;
  readonly port: number;
} & (
  | { readonly kind: "record"; readonly body: Outcome | Refusal | ConnectionRefused }
  /** Answered by the application though nobody had decided: the policy fails open, and the agent was not there. */
  | { readonly kind: "unrecorded"; readonly at: string }
);

/** Names of gRPC's statuses as Envoy writes them (`%GRPC_STATUS%`), by their number. */
const GRPC_STATUSES: readonly string[] = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/** Reads one line (without its end); undefined: it is none of ours, or torn. Fields: docs/audit.md, "Envoy's log". */
export function readOutcomeLine(text: string): OutcomeLine | undefined {
  const fields = parseObject(text);
  if (fields === undefined) return undefined;
  const port = wholeNumber(fields["port"], 65_535);
  const at = textOf(fields["time"]);
  if (port === undefined || port === 0 || at === undefined) return undefined;
  const ledger = textOf(fields["audit"]);
  const of = ledger === undefined ? { port } : { ledger, port };
  if (fields["connection"] === true) return { ...of, kind: "record", body: connectionOf(fields, port, at) };
  if (!isAbsent(fields["decision"])) {
    const id = textOf(fields["decision"]);
    return id !== undefined && DECISION_ID.test(id)
      ? { ...of, kind: "record", body: outcomeOf(fields, id) }
      : undefined;
  }
  if (textOf(fields["upstream"]) !== undefined) return { ...of, kind: "unrecorded", at };
  return { ...of, kind: "record", body: refusalOf(fields, port, at) };
}

/**
 * The same for a line and for the record that was made of it; undefined: records of that type come from elsewhere. A decision has
 * one outcome; what was refused is told apart by what Envoy said of it.
 */
export function lineKey(body: RecordBody): string | undefined {
  if (body.type === "outcome") return body.result === "answered" ? body.id : undefined;
  if (body.type === "refusal") {
    const { request, port, at, method, path, status } = body;
    return JSON.stringify([request ?? "", port, at, method, path, status]);
  }
  return body.type === "connection.refused" ? JSON.stringify([body.port, body.source, body.at]) : undefined;
}

function outcomeOf(fields: Fields, id: string): Outcome {
  return {
    type: "outcome",
    id,
    result: "answered",
    ...present({
      status: statusOf(fields),
      grpcStatus: grpcStatusOf(fields["grpc_status"]),
      durationMs: wholeNumber(fields["duration_ms"]),
      upstream: textOf(fields["upstream"]),
      attempts: wholeNumber(fields["attempts"]),
      attempt: wholeNumber(fields["attempt"], 1_000_000),
      flags: textOf(fields["flags"]),
      bytesReceived: wholeNumber(fields["bytes_received"]),
      bytesSent: wholeNumber(fields["bytes_sent"]),
    }),
  };
}

function refusalOf(fields: Fields, port: number, at: string): Refusal {
  return {
    type: "refusal",
    ...present({ request: textOf(fields["request_id"]), caller: textOf(fields["peer"]) }),
    port,
    method: textOf(fields["method"]) ?? "",
    path: textOf(fields["path"]) ?? "",
    // 0: the caller left before there was a status.
    status: statusOf(fields) ?? 0,
    ...present({ grpcStatus: grpcStatusOf(fields["grpc_status"]) }),
    details: textOf(fields["details"]) ?? "",
    ...present({ flags: textOf(fields["flags"]), policy: textOf(fields["policy"]) }),
    at,
  };
}

function connectionOf(fields: Fields, port: number, at: string): ConnectionRefused {
  const failure = textOf(fields["failure"]) ?? textOf(fields["details"]) ?? textOf(fields["flags"]) ?? "";
  return { type: "connection.refused", port, source: textOf(fields["source"]) ?? "", failure, at };
}

type Fields = Readonly<Record<string, unknown>>;

function parseObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

/** As Envoy writes it. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "" || value === "-";
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== "string" || isAbsent(value)) return undefined;
  return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
}

/** Numbers come as such, or as text where the format made it so. */
function wholeNumber(value: unknown, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= most ? number : undefined;
}

function statusOf(fields: Fields): number | undefined {
  const status = wholeNumber(fields["status"], 999);
  return status === 0 ? undefined : status;
}

function grpcStatusOf(value: unknown): number | undefined {
  const named = typeof value === "string" ? GRPC_STATUSES.indexOf(value) : -1;
  return named >= 0 ? named : wholeNumber(value, 1_000);
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what is undefined: an absent field is absent. */
function present<T extends Readonly<Record<string, unknown>>>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
