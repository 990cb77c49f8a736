// Where the agent of a pod keeps its audit ledgers, and which secrets it has for them.
import { AUDIT_VOLUME, OUR_VOLUMES, SECRET_VOLUMES } from "./names.ts";
import type { PodProblem } from "./problem.ts";
import { type Fields, fieldsOf, isFields, listOf } from "./shape.ts";

export const AUDIT_SECRETS = "hedgerow.dev/audit-secrets";
export const AUDIT_VOLUME_NAME = "hedgerow.dev/audit-volume";

export interface AuditStorage {
  /** Names of Secrets. */
  readonly secrets: readonly string[];
  /** One of the pod's own volumes. Undefined: an empty one that goes with the pod. */
  readonly volume: string | undefined;
}

/** What no container can write. */
const READ_ONLY_VOLUMES = ["configMap", "secret", "projected", "downwardAPI", "image", "gitRepo"];
const secretName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Reads both annotations against the pod's own volumes, and tells every problem. */
export function readAuditStorage(
  annotations: Readonly<Record<string, string>>,
  spec: Fields,
): { readonly storage: AuditStorage; readonly problems: readonly PodProblem[]; readonly warnings: readonly string[] } {
  const problems: PodProblem[] = [];
  const warnings: string[] = [];
  const refuse = (name: string, message: string) => problems.push({ path: ["metadata", "annotations", name], message });
  const secrets = [...new Set((annotations[AUDIT_SECRETS] ?? "").split(",").map((name) => name.trim()))];
  const named = secrets.length === 1 && secrets[0] === "" ? [] : secrets;
  const bad = named.find((name) => name.length > 253 || !secretName.test(name));
  if (bad !== undefined)
    refuse(AUDIT_SECRETS, `must be names of Secrets, separated by commas: ${JSON.stringify(bad.slice(0, 60))} is none`);
  if (named.length > SECRET_VOLUMES.length)
    refuse(AUDIT_SECRETS, `must have at most ${SECRET_VOLUMES.length} entries, not ${named.length}`);

  const volume = annotations[AUDIT_VOLUME_NAME]?.trim();
  if (volume !== undefined) {
    const found = listOf(spec["volumes"]).find((entry) => isFields(entry) && entry["name"] === volume);
    const shown = JSON.stringify(volume.slice(0, 60));
    if (!isFields(found) || OUR_VOLUMES.includes(volume))
      refuse(AUDIT_VOLUME_NAME, `must name one of the pod's own volumes: ${shown} is none`);
    else {
      const readOnly = READ_ONLY_VOLUMES.find((kind) => found[kind] !== undefined);
      const isReadOnly =
        readOnly !== undefined || Object.values(found).some((source) => fieldsOf(source)["readOnly"] === true);
      if (isReadOnly) refuse(AUDIT_VOLUME_NAME, `must name a volume that can be written: ${shown} is read-only`);
      const isEmptyDir = found["emptyDir"] !== undefined;
      if (isEmptyDir) warnings.push(`${AUDIT_VOLUME_NAME} names an emptyDir: what is recorded there goes with the pod`);
      else if (!isReadOnly && fieldsOf(spec["securityContext"])["fsGroup"] === undefined)
        warnings.push(
          `${AUDIT_VOLUME_NAME} without spec.securityContext.fsGroup: the proxy, which is user 1337, may not be able to write there`,
        );
    }
  }
  return { storage: { secrets: named, volume }, problems, warnings };
}

/** Where each secret is, as a directory of its name. */
const SECRETS_DIRECTORY = "/var/run/secrets/hedgerow-audit";
const AUDIT_DIRECTORY = "/var/lib/hedgerow/audit";
/** Of a pod that named no volume: a node's disk is not to be filled by what goes with the pod anyway. */
const AUDIT_BYTES = "10Gi";

export function auditMounts({ secrets, volume }: AuditStorage): readonly Fields[] {
  return [
    // A volume that several pods share has a directory for each.
    volume === undefined
      ? { name: AUDIT_VOLUME, mountPath: AUDIT_DIRECTORY }
      : { name: volume, mountPath: AUDIT_DIRECTORY, subPathExpr: "$(POD_NAME)" },
    ...secrets.map((secret, index) => ({
      name: SECRET_VOLUMES[index],
      mountPath: `${SECRETS_DIRECTORY}/${secret}`,
      readOnly: true,
    })),
  ];
}

export function auditEnvironment({ secrets }: AuditStorage): readonly Fields[] {
  return [
    { name: "HEDGEROW_AUDIT", value: AUDIT_DIRECTORY },
    ...(secrets.length === 0 ? [] : [{ name: "HEDGEROW_SECRETS", value: SECRETS_DIRECTORY }]),
  ];
}

export function auditVolumes({ secrets, volume }: AuditStorage): readonly Fields[] {
  return [
    ...(volume === undefined ? [{ name: AUDIT_VOLUME, emptyDir: { sizeLimit: AUDIT_BYTES } }] : []),
    ...secrets.map((secret, index) => ({ name: SECRET_VOLUMES[index], secret: { secretName: secret } })),
  ];
}

/** Whether a mount of the proxy's is made here, so that it goes when its annotation does. */
export function isAuditMount(mountPath: string): boolean {
  return mountPath === AUDIT_DIRECTORY || mountPath.startsWith(`${SECRETS_DIRECTORY}/`);
}
