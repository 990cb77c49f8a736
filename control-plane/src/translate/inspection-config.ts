import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { AuditPolicy } from "@hedgerow/manifest";
import type { CompiledAccess, TextMatch } from "@hedgerow/policy";
import {
  type AccessRulesSchema,
  type AuditLedgerSchema,
  type AuditSinkSchema,
  FailMode,
  type InspectionConfig,
  InspectionConfigSchema,
  type TextMatchesSchema,
} from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { compareText } from "../model/catalog.ts";
import type { InboundPort, Inspection } from "../model/model.ts";
import { ms } from "./limits.ts";

export type InspectedPort = InboundPort & { readonly inspection: Inspection };

/** The ports that carry HTTP and are inspected; what is not read as HTTP has no requests to inspect. */
export function inspectedPorts(inbound: readonly InboundPort[]): readonly InspectedPort[] {
  return inbound.filter((port): port is InspectedPort => port.inspection !== undefined && port.protocol !== "tcp");
}

/** What the agent of these ports inspects and records. */
export function inspectionConfig(ports: readonly InspectedPort[], region: string | undefined): InspectionConfig {
  const ledgers = new Map(ports.map(({ inspection }) => [inspection.ledger, auditLedger(inspection)]));
  return create(InspectionConfigSchema, {
    ports: ports
      .toSorted((a, b) => a.port - b.port)
      .map(({ port, inspection, access }) => ({
        port,
        maxRequestBytes: BigInt(inspection.maxRequestBytes),
        ledger: inspection.ledger,
        access: access.map(accessRules),
        services: [...inspection.services],
      })),
    ledgers: [...ledgers].toSorted(([a], [b]) => compareText(a, b)).map(([, ledger]) => ledger),
    region: region ?? "",
  });
}

function accessRules({ policy, generation, rules }: CompiledAccess): MessageInitShape<typeof AccessRulesSchema> {
  return {
    policy,
    generation: BigInt(generation ?? 0),
    rules: rules.map(({ name, principals, paths }) => ({
      name,
      ...(principals === undefined ? {} : { principals: textMatches(principals) }),
      ...(paths === undefined ? {} : { paths: textMatches(paths) }),
    })),
  };
}

function textMatches(matches: readonly TextMatch[]): MessageInitShape<typeof TextMatchesSchema> {
  return { matches: matches.map(({ kind, value }) => ({ match: { case: kind, value } })) };
}

function auditLedger({ policy, ledger, generation, failMode }: Inspection): MessageInitShape<typeof AuditLedgerSchema> {
  const { durability, keys, digests, payload, retention, sinks } = policy.spec;
  return {
    name: ledger,
    generation: BigInt(generation ?? 0),
    failMode: failMode === "closed" ? FailMode.CLOSED : FailMode.OPEN,
    durability: { each: durability.fsync === "each", every: ms(durability.every) },
    digestSecret: keys.digest?.secretName ?? "",
    encryptionSecret: keys.encryption?.secretName ?? "",
    outputDigest: digests.output,
    ...(payload === undefined
      ? {}
      : {
          payload: {
            perMillion: payload.sample,
            maxBytes: BigInt(payload.maxBytes),
            recipientSecret: payload.recipient.secretName,
          },
        }),
    retention: {
      class: retention.class,
      keep: ms(retention.keepYears * YEAR_MS),
      legalHold: retention.legalHold,
    },
    sinks: sinks.map(auditSink),
  };
}

// Of 365 and a quarter days.
const YEAR_MS = 31_557_600_000;

type Sink = AuditPolicy["spec"]["sinks"][number];

function auditSink(sink: Sink): MessageInitShape<typeof AuditSinkSchema> {
  return { name: sink.name, region: sink.region ?? "", required: sink.required, target: sinkTarget(sink) };
}

function sinkTarget(sink: Sink): NonNullable<MessageInitShape<typeof AuditSinkSchema>["target"]> {
  if ("file" in sink) return { case: "file", value: { path: sink.file.path } };
  if ("otlp" in sink) return { case: "otlp", value: { endpoint: sink.otlp.endpoint } };
  const { bucket, endpoint, prefix, objectLock, credentials } = sink.s3;
  return {
    case: "s3",
    value: { bucket, endpoint: endpoint ?? "", prefix, objectLock, credentialsSecret: credentials.secretName },
  };
}
