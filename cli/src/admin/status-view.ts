import type {
  Condition,
  GetStatusResponse,
  ObjectStatus,
  Position,
  Problem,
} from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { isoTime } from "./time.ts";

/** Whether what an object says is what the mesh does. */
export type Effective = "yes" | "partly" | "no";

export interface PositionView {
  readonly file: string;
  /** From 1; 0 when unknown. */
  readonly line: number;
  readonly column: number;
}

interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  /** ISO 8601, or null. */
  readonly lastTransitionTime: string | null;
}

export interface ObjectView {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly position: PositionView;
  readonly generation: number;
  readonly effective: Effective;
  readonly conditions: readonly ConditionView[];
  /** Those that need the object, and those of them that run its current content. */
  readonly proxies: { readonly total: number; readonly programmed: number };
  readonly laggards: readonly { readonly nodeId: string; readonly reason: string; readonly message: string }[];
}

interface ProblemView {
  readonly position: PositionView;
  readonly field: string;
  readonly code: string;
  readonly message: string;
}

/** The stable shape of `hedgerow status -o json|yaml` (docs/cli.md). */
export interface StatusView {
  readonly objects: readonly ObjectView[];
  readonly problems: readonly ProblemView[];
}

export function viewStatus({ objects, problems }: GetStatusResponse): StatusView {
  return {
    objects: objects.map(viewObject).sort((a, b) => compareText(objectName(a), objectName(b))),
    problems: problems.map(viewProblem).sort(comparePositions),
  };
}

/** KIND/NAMESPACE/NAME. */
export function objectName({ kind, namespace, name }: Pick<ObjectView, "kind" | "namespace" | "name">): string {
  return `${kind}/${namespace}/${name}`;
}

/** Everything is in effect and nothing is wrong with the source. */
export function isAllEffective({ objects, problems }: StatusView): boolean {
  return problems.length === 0 && objects.every(({ effective }) => effective === "yes");
}

/** Accepted, ResolvedRefs and Programmed should be True; Conflicted should not. */
export function isBad({ type, status }: Pick<Condition, "type" | "status">): boolean {
  return type === "Conflicted" ? status === "True" : status !== "True";
}

export function comparePositions(a: WithPosition, b: WithPosition): number {
  return (
    compareText(a.position.file, b.position.file) ||
    a.position.line - b.position.line ||
    a.position.column - b.position.column
  );
}

interface WithPosition {
  readonly position: PositionView;
}

function viewObject(object: ObjectStatus): ObjectView {
  return {
    kind: object.kind,
    namespace: object.namespace,
    name: object.name,
    position: viewPosition(object.position),
    generation: Number(object.observedGeneration),
    effective: effectOf(object),
    conditions: object.conditions.map((condition) => ({
      type: condition.type,
      status: condition.status,
      reason: condition.reason,
      message: condition.message,
      lastTransitionTime: isoTime(condition.lastTransitionTime) ?? null,
    })),
    proxies: { total: object.proxiesTotal, programmed: object.proxiesProgrammed },
    laggards: object.laggards.map(({ nodeId, reason, message }) => ({ nodeId, reason, message })),
  };
}

function viewProblem({ position, field, code, message }: Problem): ProblemView {
  return { position: viewPosition(position), field, code, message };
}

function viewPosition(position: Position | undefined): PositionView {
  return { file: position?.file ?? "", line: position?.line ?? 0, column: position?.column ?? 0 };
}

/** An object that was refused is not in effect; one of which a reference, a target or a proxy fails is so in part. */
function effectOf({ conditions, proxiesTotal, proxiesProgrammed }: ObjectStatus): Effective {
  const bad = new Set(conditions.filter(isBad).map(({ type }) => type));
  if (bad.has("Accepted")) return "no";
  if (proxiesProgrammed < proxiesTotal) return proxiesProgrammed === 0 ? "no" : "partly";
  if (bad.has("ResolvedRefs") || bad.has("Conflicted")) return proxiesTotal === 0 ? "no" : "partly";
  return bad.size === 0 ? "yes" : "no";
}

/** By code unit, so that the order is the same in every locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
