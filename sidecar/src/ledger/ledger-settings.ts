import { join } from "node:path";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { Durability } from "@hedgerow/ledger/store";
import { type AuditLedger, FailMode } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { type Recipient, readRecipient } from "./payload.ts";
import type { Secrets } from "./secrets.ts";
import { type SinkSettings, sinkSettings } from "./sinks/sink-settings.ts";

const NAME = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/;
const DEFAULT_EVERY_MS = 5;

export interface PayloadSettings {
  /** 0 to 1. */
  readonly share: number;
  readonly maxBytes: number;
  readonly recipient: Recipient;
}

/** One AuditPolicy with its secrets read. */
export interface LedgerSettings {
  readonly policy: string;
  readonly directory: string;
  readonly failMode: "closed" | "open";
  readonly durability: Durability;
  /** Undefined: the ledger's own. */
  readonly digestKey: Buffer | undefined;
  /** Undefined: records are not encrypted. */
  readonly keyEncryptionKey: Buffer | undefined;
  readonly outputDigest: boolean;
  readonly payload: PayloadSettings | undefined;
  readonly retention: {
    readonly class: string;
    /** Undefined: for ever. */
    readonly keepMs: number | undefined;
    readonly legalHold: boolean;
  };
  readonly sinks: readonly SinkSettings[];
}

export type SettingsRead =
  | { readonly ok: true; readonly value: LedgerSettings }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the secrets that a policy names; says all that is wrong with them. */
export async function readSettings(
  config: AuditLedger,
  auditDirectory: string,
  secrets: Secrets,
): Promise<SettingsRead> {
  const problems: string[] = [];
  const named = NAME.exec(config.name);
  if (named === null) problems.push(`"${config.name}" is no NAMESPACE/NAME`);
  const key = async (name: string): Promise<Buffer | undefined> => {
    if (name === "") return undefined;
    const read = await secrets.key(name);
    if (!read.ok) problems.push(read.problem);
    return read.ok ? read.value : undefined;
  };
  const digestKey = await key(config.digestSecret);
  const keyEncryptionKey = await key(config.encryptionSecret);
  const payload = await readPayload(config, secrets, problems);
  const keepMs = config.retention?.keep && durationMs(config.retention.keep);
  const sinks: SinkSettings[] = [];
  for (const sink of config.sinks) {
    const read = await sinkSettings(sink, keepMs ?? 0, secrets);
    if (read.ok) sinks.push(read.value);
    else problems.push(`sink ${sink.name}: ${read.problem}`);
  }
  if (named === null || problems.length > 0) {
    return { ok: false, problems: problems.map((problem) => `AuditPolicy ${config.name}: ${problem}`) };
  }
  return {
    ok: true,
    value: {
      policy: config.name,
      directory: join(auditDirectory, `${named[1]}.${named[2]}`),
      failMode: config.failMode === FailMode.OPEN ? "open" : "closed",
      durability: { each: config.durability?.each === true, everyMs: everyMs(config.durability?.every) },
      digestKey,
      keyEncryptionKey,
      outputDigest: config.outputDigest,
      payload,
      retention: { class: config.retention?.class ?? "", keepMs, legalHold: config.retention?.legalHold === true },
      sinks,
    },
  };
}

function everyMs(every: Duration | undefined): number {
  return every === undefined ? DEFAULT_EVERY_MS : Math.min(1_000, Math.max(1, durationMs(every)));
}

async function readPayload(
  { payload }: AuditLedger,
  secrets: Secrets,
  problems: string[],
): Promise<PayloadSettings | undefined> {
  if (payload === undefined) return undefined;
  const text = await secrets.text(payload.recipientSecret, "jwk");
  if (!text.ok) {
    problems.push(text.problem);
    return undefined;
  }
  const recipient = readRecipient(text.value);
  if (!recipient.ok) {
    problems.push(`secret ${payload.recipientSecret}: ${recipient.problem}`);
    return undefined;
  }
  return { share: payload.perMillion / 1e6, maxBytes: Number(payload.maxBytes), recipient: recipient.value };
}
