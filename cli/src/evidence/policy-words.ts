// Policies for people who don't read YAML.
import {
  type AccessPolicy,
  type AuditPolicy,
  type HTTPRoute,
  type Manifest,
  manifestSchemas,
} from "@hedgerow/manifest";
import { count } from "../screen/count.ts";
import { asWritten } from "./as-written.ts";
import type { PolicyEdit } from "./policies.ts";

/** Longer than that is for the manifest. */
const MAX_TEXT = 600;

/** What it says, a sentence each; where a sentence would be guessed, its text as it was recorded. */
export function describePolicy(edit: PolicyEdit): readonly string[] {
  const { kind, namespace, name, spec } = edit;
  if (spec === undefined) return [];
  if (isKnownKind(kind)) {
    const parsed = manifestSchemas[kind].safeParse({
      apiVersion: kind === "HTTPRoute" ? "gateway.networking.k8s.io/v1" : "hedgerow.dev/v1alpha1",
      kind,
      metadata: { namespace, name },
      spec: asWritten(spec),
    });
    if (parsed.success) return describeManifest(parsed.data);
  }
  const text = JSON.stringify(spec);
  return [text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text];
}

const describedKinds = ["AccessPolicy", "AuditPolicy", "TrafficPolicy", "HTTPRoute", "MeshConfig"] as const;

function isKnownKind(kind: string): kind is (typeof describedKinds)[number] {
  return describedKinds.some((known) => known === kind);
}

function describeManifest(manifest: Manifest): readonly string[] {
  switch (manifest.kind) {
    case "AccessPolicy":
      return describeAccess(manifest);
    case "AuditPolicy":
      return describeAudit(manifest);
    case "HTTPRoute":
      return describeRoute(manifest);
    case "TrafficPolicy":
      return [
        `Of ${targets(manifest.spec.targetRefs)}: a request may have ${formatBytes(manifest.spec.maxRequestBytes ?? 4 * 1024 * 1024)} at most.`,
      ];
    case "MeshConfig": {
      const { trustDomain, mtls, access } = manifest.spec;
      return [
        `Identities of the mesh are those of ${trustDomain}.`,
        access.default === "deny"
          ? "A service without an access policy may be called by nobody."
          : "A service without an access policy may be called by everybody with an identity.",
        mtls.mode === "strict"
          ? "Callers without an identity get no connection."
          : "In Kubernetes, callers without an identity get a connection, without encryption, where the namespace does not say otherwise.",
      ];
    }
    case "Service":
    case "Workload":
      return [];
  }
}

function describeAccess({ spec: { targetRefs, allow } }: AccessPolicy): readonly string[] {
  const whose = `Of ${targets(targetRefs)}`;
  if (allow.length === 0) return [`${whose}: nobody may call it.`];
  return [
    ...allow.map(({ name, from, methods, paths }) => {
      const callers = from.map((one) =>
        "namespace" in one ? `everything in namespace ${one.namespace}` : one.serviceAccount,
      );
      const what = [...(methods ?? []).map((method) => methodWords[method]), ...(paths ?? [])];
      return `${whose}: ${list(callers)} may ${what.length === 0 ? "do everything" : list(what)} (rule "${name}").`;
    }),
    "Nobody else may do anything.",
  ];
}

const methodWords = {
  infer: "ask for predictions",
  metadata: "read what the model is",
  ready: "ask whether it is ready",
  live: "ask whether it is alive",
} as const;

function describeAudit({ spec }: AuditPolicy): readonly string[] {
  const { targetRefs, failMode, durability, keys, payload, retention, sinks } = spec;
  return [
    `Every request to ${targets(targetRefs)} is decided and recorded before it is answered${durability.fsync === "each" ? ", on disk" : ""}.`,
    failMode === "closed"
      ? "What can't be recorded is refused."
      : "What can't be recorded is answered, and counted as missing.",
    `Records are kept for ${count(retention.keepYears, "year")} (${retention.class})${retention.legalHold ? ", and nothing is deleted: a legal hold is in force" : ""}.`,
    keys.encryption === undefined ? "Records are not encrypted on disk." : "Records are encrypted on disk.",
    payload === undefined
      ? "Contents of requests are not recorded."
      : `Contents of some requests (${payload.sample / 10_000} %) are recorded, readable by the auditor alone.`,
    ...sinks.map(
      ({ name, region, required }) =>
        `Copies go to "${name}"${region === undefined ? "" : ` in ${region}`}${required ? ", before a request is answered" : ""}.`,
    ),
  ];
}

function describeRoute({ spec: { parentRefs, rules } }: HTTPRoute): readonly string[] {
  const parents = list(parentRefs.map(({ name }) => name));
  return rules.map(({ backendRefs, matches }) => {
    const sum = backendRefs.reduce((total, { weight }) => total + weight, 0);
    const shares = backendRefs.map(
      ({ name, weight }) => `${sum === 0 ? 0 : Math.round((weight / sum) * 1000) / 10} % to ${name}`,
    );
    return `Requests to ${parents}${matches.length === 0 ? "" : " that match its conditions"} go ${list(shares)}.`;
  });
}

function targets(refs: readonly { readonly kind: string; readonly name: string }[]): string {
  return list(refs.map(({ kind, name }) => (kind === "Namespace" ? `everything in namespace ${name}` : name)));
}

function list(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1) ?? ""}`;
}

/** As in 4 MiB, where it is a whole number of them. */
function formatBytes(bytes: number): string {
  if (bytes % 1_048_576 === 0) return `${bytes / 1_048_576} MiB`;
  return bytes % 1024 === 0 ? `${bytes / 1024} KiB` : count(bytes, "byte");
}
