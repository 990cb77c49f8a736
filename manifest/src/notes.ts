import type { AccessPolicy } from "./kinds/access-policy.ts";
import type { AuditPolicy } from "./kinds/audit-policy.ts";
import type { HTTPRoute } from "./kinds/http-route.ts";
import type { Manifest } from "./kinds/manifest.ts";
import type { MeshConfig } from "./kinds/mesh-config.ts";
import type { Workload } from "./kinds/workload.ts";
import type { FieldPath } from "./problem.ts";

/** Something that is valid, and may not be wise: never a reason to refuse. */
export interface Note {
  readonly path: FieldPath;
  /** As a problem's, without the field. At most 80 characters, unless a name in it is long. */
  readonly message: string;
}

const longLifetimeMs = 7 * 24 * 3_600_000;

/** What is legal and unwise in one valid manifest, in the order of its fields. */
export function notesOn(manifest: Manifest): readonly Note[] {
  switch (manifest.kind) {
    case "MeshConfig":
      return onMeshConfig(manifest);
    case "Workload":
      return onWorkload(manifest);
    case "HTTPRoute":
      return onRoute(manifest);
    case "AccessPolicy":
      return onPolicy(manifest);
    case "AuditPolicy":
      return onAudit(manifest);
    case "Service":
    case "TrafficPolicy":
      return [];
  }
}

function onMeshConfig({ spec }: MeshConfig): readonly Note[] {
  return [
    when(
      spec.identity.lifetime > longLifetimeMs,
      ["spec", "identity", "lifetime"],
      "is over 7 days: so long does a stolen key serve its thief",
    ),
    when(
      spec.mtls.mode === "permissive",
      ["spec", "mtls", "mode"],
      "is permissive: pods take plain text from callers without an identity",
    ),
    when(
      spec.access.default === "allow",
      ["spec", "access", "default"],
      "is allow: a Service without an AccessPolicy takes calls from all of the mesh",
    ),
  ].flat();
}

function onWorkload({ spec }: Workload): readonly Note[] {
  return [
    when(isUnspecified(spec.address), ["spec", "address"], `is ${spec.address}: no sidecar reaches another there`),
    when(
      spec.inbound.length === 0 && spec.upstreams.length === 0,
      ["spec"],
      "has neither inbound nor upstreams: it serves nothing and calls nothing",
    ),
    when(spec.drain === 0, ["spec", "drain"], "is 0s: calls in flight are cut when the sidecar stops"),
  ].flat();
}

/** 0.0.0.0 and ::, however it is written. */
function isUnspecified(address: string): boolean {
  return /^[0:.]+$/.test(address);
}

function onRoute({ spec }: HTTPRoute): readonly Note[] {
  return [
    ...repeated(spec.parentRefs.map(portName)).map(({ index, name }) => ({
      path: ["spec", "parentRefs", index],
      message: `names ${name} a second time`,
    })),
    ...spec.rules.flatMap(({ backendRefs }, rule) => {
      const path = ["spec", "rules", rule, "backendRefs"];
      return [
        ...repeated(backendRefs.map(portName)).map(({ index, name }) => ({
          path: [...path, index],
          message: `names ${name} a second time: its weights add up`,
        })),
        ...when(
          backendRefs.every(({ weight }) => weight === 0),
          path,
          "has weight 0 in all: every request is answered 500",
        ),
      ];
    }),
  ];
}

function portName({ name, port }: { readonly name: string; readonly port?: number | undefined }): string {
  return port === undefined ? name : `${name}:${port}`;
}

function onPolicy({ spec }: AccessPolicy): readonly Note[] {
  return [
    ...when(spec.allow.length === 0, ["spec", "allow"], "is empty: nobody can call"),
    ...spec.allow.flatMap(({ from, methods, paths }, rule) => [
      ...from.flatMap((principal, index) =>
        when(
          "namespace" in principal && methods === undefined && paths === undefined,
          ["spec", "allow", rule, "from", index],
          "allows a whole namespace everything: name service accounts, or methods",
        ),
      ),
      ...(paths ?? []).flatMap((written, index) =>
        when(written === "/*", ["spec", "allow", rule, "paths", index], "is every path, and so every method"),
      ),
    ]),
  ];
}

function onAudit({ spec }: AuditPolicy): readonly Note[] {
  return [
    when(
      spec.failMode === "open",
      ["spec", "failMode"],
      "is open: while records can't be written, nobody knows who asked",
    ),
    when(
      spec.keys.encryption === undefined,
      ["spec", "keys"],
      "has no encryption: who reads the disk reads the records",
    ),
    when(
      spec.sinks.length === 0,
      ["spec", "sinks"],
      "is empty: records are where the sidecar is, and go with its disk",
    ),
    when(
      spec.retention.keepYears === 0,
      ["spec", "retention", "keepYears"],
      "is 0: records go as soon as their segment is closed",
    ),
    ...spec.sinks.map((sink, index) =>
      when(
        "s3" in sink && sink.s3.objectLock === "none",
        ["spec", "sinks", index, "s3", "objectLock"],
        "is none: who has the credentials can delete the copies",
      ),
    ),
  ].flat();
}

function when(isSo: boolean, path: FieldPath, message: string): readonly Note[] {
  return isSo ? [{ path, message }] : [];
}

/** Each entry that was there before. */
function repeated(names: readonly string[]): readonly { readonly index: number; readonly name: string }[] {
  return names.flatMap((name, index) => (names.indexOf(name) < index ? [{ index, name }] : []));
}
