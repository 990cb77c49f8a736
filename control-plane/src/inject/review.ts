// AdmissionReview (admission.k8s.io/v1): what the API server asks of a webhook, and how it is answered.
import { type Fields, fieldsOf, isFields, listOf, textOf } from "./shape.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: Operation;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Empty for what has none. */
  readonly namespace: string;
  /** Empty where the API server is yet to make one. */
  readonly name: string;
  /** As it is to be; null on DELETE. */
  readonly object: unknown;
  /** As it was; null on CREATE. */
  readonly oldObject: unknown;
  readonly dryRun: boolean;
  readonly user: { readonly name: string; readonly uid: string; readonly groups: readonly string[] };
}

/** What the webhook says of a request. */
export type Verdict =
  | { readonly kind: "allow"; readonly warnings: readonly string[]; readonly patch?: readonly Fields[] }
  | { readonly kind: "deny"; readonly message: string; readonly warnings: readonly string[] };

/** The API server cuts a warning at 256 bytes, and all of a response at 4096. */
const MAX_WARNINGS = 16;
const MAX_WARNING_LENGTH = 256;
const MAX_UID_LENGTH = 256;
const operations: readonly Operation[] = ["CREATE", "UPDATE", "DELETE", "CONNECT"];

/** The request of a decoded body; undefined where that is no AdmissionReview. */
export function readReview(body: unknown): AdmissionRequest | undefined {
  const { apiVersion, kind, request } = fieldsOf(body);
  if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview" || !isFields(request)) return undefined;
  const { uid, operation, kind: object, namespace, name, dryRun, userInfo } = request;
  const known = operations.find((one) => one === operation);
  if (known === undefined || typeof uid !== "string" || uid.length > MAX_UID_LENGTH) return undefined;
  const { group, version, kind: objectKind } = fieldsOf(object);
  const user = fieldsOf(userInfo);
  return {
    uid,
    operation: known,
    kind: { group: textOf(group) ?? "", version: textOf(version) ?? "", kind: textOf(objectKind) ?? "" },
    namespace: textOf(namespace) ?? "",
    name: textOf(name) ?? "",
    object: request["object"] ?? null,
    oldObject: request["oldObject"] ?? null,
    dryRun: dryRun === true,
    user: {
      name: textOf(user["username"]) ?? "",
      uid: textOf(user["uid"]) ?? "",
      groups: listOf(user["groups"]).filter((group) => typeof group === "string"),
    },
  };
}

/** The body of the answer. */
export function reviewAnswer({ uid }: AdmissionRequest, verdict: Verdict): Fields {
  const warnings = verdict.warnings.slice(0, MAX_WARNINGS).map((warning) => warning.slice(0, MAX_WARNING_LENGTH));
  const response: Record<string, unknown> = { uid, allowed: verdict.kind === "allow" };
  if (warnings.length > 0) response["warnings"] = warnings;
  if (verdict.kind === "deny") response["status"] = { code: 422, reason: "Invalid", message: verdict.message };
  else if (verdict.patch !== undefined && verdict.patch.length > 0) {
    response["patchType"] = "JSONPatch";
    response["patch"] = Buffer.from(JSON.stringify(verdict.patch)).toString("base64");
  }
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
}
