import type { AuditSink, S3Sink as S3Config } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import type { Secrets } from "../secrets.ts";
import { FileSink } from "./file-sink.ts";
import { OtlpSink } from "./otlp-sink.ts";
import { type S3Credentials, S3Sink } from "./s3-sink.ts";
import type { Sink } from "./sink.ts";

export interface SinkSettings {
  readonly name: string;
  readonly region: string;
  readonly required: boolean;
  /** Names where the sink's copies lie: of another, it has nothing yet. */
  readonly target: string;
  /** All that it is made by: equal settings need no new one. */
  readonly key: string;
  readonly make: (now: () => number) => Sink;
}

export type SinkSettingsRead =
  | { readonly ok: true; readonly value: SinkSettings }
  | { readonly ok: false; readonly problem: string };

/** What a sink is made by; its credentials are read once, so that what is wrong with them is said now. */
export async function sinkSettings(sink: AuditSink, keepMs: number, secrets: Secrets): Promise<SinkSettingsRead> {
  const { name, region, required, target } = sink;
  const wrong = (problem: string) => ({ ok: false as const, problem });
  const settings = (where: readonly string[], make: (now: () => number) => Sink, more: readonly unknown[] = []) => ({
    ok: true as const,
    value: {
      name,
      region,
      required,
      target: JSON.stringify(where),
      key: JSON.stringify([name, region, required, where, more]),
      make,
    },
  });
  // Its cursor is a file of that name.
  if (!/^[a-z0-9-]{1,63}$/.test(name)) return wrong("its name is none");
  if (target.case === "file") {
    const { path } = target.value;
    return path.startsWith("/") ? settings(["file", path], () => new FileSink(path)) : wrong(`${path} is not absolute`);
  }
  if (target.case === "otlp") {
    const { endpoint } = target.value;
    return URL.canParse(endpoint)
      ? settings(["otlp", endpoint], (now) => new OtlpSink({ endpoint, now }))
      : wrong(`${endpoint} is no URL`);
  }
  if (target.case !== "s3") return wrong("it is of no kind that this agent knows");
  const { bucket, endpoint, prefix, objectLock, credentialsSecret } = target.value;
  const mode = lockMode(objectLock);
  if (mode === undefined) return wrong(`object lock "${objectLock}" is none that this agent knows`);
  if (endpoint !== "" && !URL.canParse(endpoint)) return wrong(`${endpoint} is no URL`);
  if (region === "") return wrong("it names no region, for which requests to S3 are signed");
  const found = await readCredentials(target.value, secrets);
  if (!found.ok) return wrong(found.problem);
  const credentials = async () => {
    const read = await readCredentials(target.value, secrets);
    if (!read.ok) throw new Error(read.problem);
    return read.value;
  };
  return settings(
    ["s3", endpoint, region, bucket, prefix],
    (now) => new S3Sink({ bucket, endpoint, region, prefix, objectLock: mode, keepMs, credentials, now }),
    [mode, keepMs, credentialsSecret],
  );
}

function lockMode(text: string): "none" | "governance" | "compliance" | undefined {
  if (text === "" || text === "none") return "none";
  return text === "governance" || text === "compliance" ? text : undefined;
}

async function readCredentials(
  { credentialsSecret }: S3Config,
  secrets: Secrets,
): Promise<{ readonly ok: true; readonly value: S3Credentials } | { readonly ok: false; readonly problem: string }> {
  const accessKeyId = await secrets.text(credentialsSecret, "accessKeyId");
  if (!accessKeyId.ok) return accessKeyId;
  const secretAccessKey = await secrets.text(credentialsSecret, "secretAccessKey");
  if (!secretAccessKey.ok) return secretAccessKey;
  // Only of credentials that end.
  const sessionToken = await secrets.text(credentialsSecret, "sessionToken");
  const value = { accessKeyId: accessKeyId.value, secretAccessKey: secretAccessKey.value };
  return { ok: true, value: sessionToken.ok ? { ...value, sessionToken: sessionToken.value } : value };
}
