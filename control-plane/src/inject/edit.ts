// Who edited policy: what the audit is to keep of every edit that the webhook was asked about.
import type { AdmissionRequest, Operation, Verdict } from "./review.ts";
import { fieldsOf, textOf } from "./shape.ts";

/** One edit, allowed or refused by us; whether the API server took it in the end, its own audit log knows. */
export interface PolicyEdit {
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly user: string;
  /** At most 32. */
  readonly groups: readonly string[];
  readonly operation: Operation;
  /** GROUP/VERSION. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the object as it is to be; as it was, where it is deleted. */
  readonly generation: number | undefined;
  /** Of the object that was edited: what the editor had seen. */
  readonly resourceVersion: string | undefined;
  readonly objectUid: string | undefined;
  /** Of the object as it is to be, or where it was too long how many bytes of JSON it takes; undefined where it is deleted. */
  readonly spec: unknown;
  /** Nothing was to be kept of it. */
  readonly dryRun: boolean;
  readonly allowed: boolean;
  /** Why it was refused. */
  readonly refusal: string | undefined;
  /** Of the AdmissionReview: it stands in the API server's audit log, too. */
  readonly reviewUid: string;
}

const MAX_GROUPS = 32;
const MAX_LENGTH = 256;
const MAX_REFUSAL_LENGTH = 2_048;
const MAX_SPEC_LENGTH = 65_536;

/** `nowMs` is Unix ms. Texts are cut to lengths that a log bears. */
export function policyEdit(request: AdmissionRequest, verdict: Verdict, nowMs: number): PolicyEdit {
  const { group, version, kind } = request.kind;
  const object = fieldsOf(fieldsOf(request.object ?? request.oldObject)["metadata"]);
  const before = fieldsOf(fieldsOf(request.oldObject)["metadata"]);
  const generation = object["generation"];
  return {
    time: new Date(nowMs).toISOString(),
    user: cut(request.user.name),
    groups: request.user.groups.slice(0, MAX_GROUPS).map((name) => cut(name)),
    operation: request.operation,
    apiVersion: cut(`${group}/${version}`),
    kind: cut(kind),
    namespace: cut(request.namespace),
    // A name may be generated after us.
    name: cut(request.name || (textOf(object["name"]) ?? textOf(object["generateName"]) ?? "")),
    generation: typeof generation === "number" ? generation : undefined,
    resourceVersion: cutText(before["resourceVersion"]),
    objectUid: cutText(object["uid"]),
    spec: specOf(request.object),
    dryRun: request.dryRun,
    allowed: verdict.kind === "allow",
    refusal: verdict.kind === "deny" ? verdict.message.slice(0, MAX_REFUSAL_LENGTH) : undefined,
    reviewUid: request.uid,
  };
}

function specOf(object: unknown): unknown {
  const { spec } = fieldsOf(object);
  const length = spec === undefined ? 0 : JSON.stringify(spec).length;
  return length > MAX_SPEC_LENGTH ? { bytes: length } : spec;
}

function cut(text: string): string {
  return text.slice(0, MAX_LENGTH);
}

function cutText(value: unknown): string | undefined {
  const text = textOf(value);
  return text === undefined ? undefined : cut(text);
}
