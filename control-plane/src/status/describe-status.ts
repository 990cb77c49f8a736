import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  formatProblem,
  type ObjectKey,
  objectKey,
  objectRef,
  type Problem,
  type SourceObject,
} from "@hedgerow/manifest";
import type { ConditionSchema, ObjectStatusSchema } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { ProxyState } from "../ads/proxy-state.ts";
import type { SourceView } from "../last-good/source-view.ts";
import type { Finding } from "../model/finding.ts";
import type { MeshSnapshot, NodeId } from "../snapshot/snapshot.ts";
import { type ListedView, listing } from "./listed.ts";
import { describeProgrammed, type Lag, type Programmed } from "./programmed.ts";
import { type ReplicaReport, withReports } from "./replicas.ts";

export type ObjectStatusInit = MessageInitShape<typeof ObjectStatusSchema>;
type ConditionInit = MessageInitShape<typeof ConditionSchema>;

export interface StatusInput {
  readonly view: Pick<SourceView, "stale" | "neverGood" | "generations"> & ListedView;
  readonly findings: readonly Finding[];
  readonly snapshot: MeshSnapshot;
  /** Of this replica: what counts (counted.ts). */
  readonly proxies: readonly ProxyState[];
  /** Proxies that count although nothing is known of them. */
  readonly expected: Iterable<NodeId>;
  /** Of every other replica, what the proxies run that are connected to it. */
  readonly reports: readonly ReplicaReport[];
  /** What this returned before: a condition that stays as it is keeps its time. */
  readonly previous: readonly ObjectStatusInit[];
  readonly nowMs: number;
}

/** A condition, yet without its time. */
interface Verdict {
  readonly type: "Accepted" | "ResolvedRefs" | "Conflicted" | "Programmed";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

// Their number is in the counts; a person acts on the first few.
const MAX_LAGGARDS = 100;

/**
 * Did it take effect? For every object that is listed (listed.ts), in the order of the view, then for those that are written
 * but never were good:
 *
 * - Accepted: False with reason Invalid while what is written cannot be used; the last good version stands, if there is
 *   one. Else by findings.
 * - ResolvedRefs, Conflicted: by findings.
 * - Programmed: whether every proxy with a resource that came from the object has acknowledged the resource's current
 *   version. Reason Rejected, Disconnected or Pending, the worst that there is. An object that no proxy needs (a Service
 *   that nobody calls, say) is in effect with reason NotUsed, unless something is wrong with it: then Unknown.
 *
 * A NACK counts against the resources that it blames (ads/blame.ts), and so against every object that they came from.
 */
export function describeStatus(input: StatusInput): readonly ObjectStatusInit[] {
  const { view, findings, snapshot, proxies, expected, reports, previous, nowMs } = input;
  const here = describeProgrammed(snapshot, proxies, expected);
  const found = Map.groupBy(findings, ({ object }) => objectKey(object));
  const before = new Map(previous.map((status) => [keyOf(status), status]));
  const isListed = listing(view);
  const standing = view.objects.flatMap((object): readonly ObjectStatusInit[] => {
    const ref = objectRef(object.manifest);
    const key = objectKey(ref);
    const generation = BigInt(view.generations.get(key) ?? 1);
    const programmed = withReports(here.get(key), key, generation, reports);
    if (!isListed(ref, programmed)) return [];
    const { total, lagging, lags } = programmed;
    const verdicts = judge(object, key, input, found.get(key) ?? [], programmed);
    const status = {
      kind: ref.kind,
      namespace: ref.namespace,
      name: ref.name,
      position: { ...object.positionOf([]) },
      observedGeneration: generation,
      conditions: verdicts.map((verdict) => withTime(verdict, before.get(key), nowMs)),
      proxiesTotal: total,
      proxiesProgrammed: total - lagging,
      laggards: lags.slice(0, MAX_LAGGARDS).map(({ nodeId, reason, message }) => ({ nodeId, reason, message })),
    };
    return [status];
  });
  const neverGood = view.neverGood.map(({ ref, problems }): ObjectStatusInit => {
    const verdicts = judgeNeverGood(problems);
    const earlier = before.get(objectKey(ref));
    return {
      ...ref,
      ...(problems[0] === undefined ? {} : { position: { ...problems[0].position } }),
      conditions: verdicts.map((verdict) => withTime(verdict, earlier, nowMs)),
    };
  });
  return [...standing, ...neverGood];
}

function judgeNeverGood([first, ...others]: readonly Problem[]): readonly Verdict[] {
  const why = first === undefined ? "" : `${formatProblem(first)}${andMore(others.length)}; `;
  return [
    {
      type: "Accepted",
      status: "False",
      reason: "Invalid",
      message: `${why}never valid, so nothing of it is in force`,
    },
    { type: "Programmed", status: "False", reason: "NotAccepted", message: "there is no valid version to run" },
  ];
}

function judge(
  object: SourceObject,
  key: ObjectKey,
  { view }: StatusInput,
  findings: readonly Finding[],
  programmed: Programmed,
): readonly Verdict[] {
  const [first, ...others] = view.stale.get(key) ?? [];
  const accepted: Verdict =
    first === undefined
      ? fromFindings(object, findings, "Accepted", { good: "True", bad: "False", reason: "Accepted" })
      : {
          type: "Accepted",
          status: "False",
          reason: "Invalid",
          message: `${formatProblem(first)}${andMore(others.length)}; running the last good version`,
        };
  const resolved = fromFindings(object, findings, "ResolvedRefs", {
    good: "True",
    bad: "False",
    reason: "ResolvedRefs",
  });
  const conflicted = fromFindings(object, findings, "Conflicted", {
    good: "False",
    bad: "True",
    reason: "NoConflicts",
  });
  const isWrong = accepted.status !== "True" || resolved.status !== "True" || conflicted.status !== "False";
  return [accepted, resolved, conflicted, judgeProgrammed(object, programmed, isWrong)];
}

function fromFindings(
  object: SourceObject,
  findings: readonly Finding[],
  type: Finding["condition"],
  as: { readonly good: "True" | "False"; readonly bad: "True" | "False"; readonly reason: string },
): Verdict {
  const [first, ...others] = findings.filter(({ condition }) => condition === type);
  if (first === undefined) return { type, status: as.good, reason: as.reason, message: "" };
  const position = object.positionOf(first.path);
  const message = `${formatProblem({ position, field: "", code: "invalid_value", message: first.message })}${andMore(others.length)}`;
  return { type, status: as.bad, reason: first.reason, message };
}

function judgeProgrammed(object: SourceObject, { total, lagging, lags }: Programmed, isWrong: boolean): Verdict {
  const type = "Programmed";
  if (total === 0) {
    return { type, status: isWrong ? "Unknown" : "True", reason: "NotUsed", message: "no proxy needs it" };
  }
  const [worst] = lags.toSorted((a, b) => LAG_ORDER[a.reason] - LAG_ORDER[b.reason]);
  const count = `${total - lagging} of ${total} ${total === 1 ? "proxy" : "proxies"}`;
  if (lagging === 0) return { type, status: "True", reason: "Programmed", message: count };
  return {
    type,
    status: "False",
    reason: worst?.reason ?? "Pending",
    message: worst === undefined ? count : `${count}; ${describeLag(object, worst)}${andMore(lagging - 1)}`,
  };
}

const LAG_ORDER: Readonly<Record<Lag["reason"], number>> = { Rejected: 0, Disconnected: 1, Pending: 2 };

function describeLag(object: SourceObject, { nodeId, reason, message, refused }: Lag): string {
  if (refused === undefined) return `${nodeId} ${reason === "Rejected" ? `rejected it: ${message}` : message}`;
  const { resource, origin } = refused;
  const what = `${nodeId} rejected ${resource.typeUrl.replace(/^.*\./u, "")} ${resource.name}: ${message}`;
  return formatProblem({ position: object.positionOf(origin.path), field: "", code: "invalid_value", message: what });
}

function andMore(count: number): string {
  return count === 0 ? "" : ` (and ${count} more)`;
}

function withTime(verdict: Verdict, before: ObjectStatusInit | undefined, nowMs: number): ConditionInit {
  const same = before?.conditions?.find(({ type }) => type === verdict.type);
  const isSame = same?.status === verdict.status && same.lastTransitionTime !== undefined;
  return { ...verdict, lastTransitionTime: isSame ? same.lastTransitionTime : timestampFromMs(nowMs) };
}

function keyOf({ kind = "", namespace = "", name = "" }: ObjectStatusInit): ObjectKey {
  return `${kind}/${namespace}/${name}`;
}
