import { fieldName, shownValue } from "../field-name.ts";
import { type FieldPattern, isMapping, matchFields } from "../field-pattern.ts";
import type { FieldPath } from "../problem.ts";
import type { FieldProblem, YamlValue } from "../yaml-value.ts";
import type { Manifest } from "./manifest.ts";

/** By kind: what must not be written twice. All fields of one group share one set of values. */
const distinctFields: Readonly<Record<Manifest["kind"], readonly (readonly FieldPattern[])[]>> = {
  MeshConfig: [],
  // Where the sidecar listens, on any address of the machine. Its application's ports are seen to below.
  Workload: [["spec.inbound[].port", "spec.upstreams[].localPort"], ["spec.inbound[].name"]],
  Service: [["spec.ports[].port"], ["spec.ports[].name"]],
  HTTPRoute: [["spec.rules[].name"]],
  AccessPolicy: [["spec.targetRefs[].name"], ["spec.allow[].name"]],
  // Targets of two kinds may have one name: seen to below, as the paths of its files are.
  AuditPolicy: [["spec.sinks[].name"]],
  TrafficPolicy: [["spec.targetRefs[].name"]],
};

/** Entries of one manifest that exclude each other. Reads a value that need not be valid otherwise. */
export function collidingEntries(kind: Manifest["kind"], value: YamlValue): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const refuse = (path: FieldPath, other: FieldPath, shown: string) =>
    problems.push({
      path,
      at: "value",
      code: "duplicate",
      message: `${fieldName(path)} must differ from ${fieldName(other)}, which is ${shown} too`,
    });
  for (const group of distinctFields[kind]) {
    const seen = new Map<YamlValue, FieldPath>();
    for (const field of group.flatMap((pattern) => matchFields(value, pattern))) {
      const other = seen.get(field.value);
      if (other === undefined) seen.set(field.value, field.path);
      else refuse(field.path, other, shownValue(field.value));
    }
  }
  if (kind === "AuditPolicy") return [...problems, ...collidingTargets(value), ...collidingPaths(value)];
  if (kind !== "Workload") return problems;
  // Two inbound ports may lead to one application port, but nothing of the sidecar's may be one.
  const application = new Map(matchFields(value, "spec.inbound[].appPort").map(({ path, value }) => [value, path]));
  for (const pattern of ["spec.inbound[].port", "spec.upstreams[].localPort"])
    for (const field of matchFields(value, pattern)) {
      const other = application.get(field.value);
      if (other !== undefined) refuse(field.path, other, shownValue(field.value));
    }
  return problems;
}

function collidingTargets(value: YamlValue): readonly FieldProblem[] {
  const seen: { readonly of: string; readonly path: FieldPath }[] = [];
  return matchFields(value, "spec.targetRefs[]").flatMap(({ path, value: target }): readonly FieldProblem[] => {
    if (!isMapping(target)) return [];
    const { kind, name } = target;
    if (typeof kind !== "string" || typeof name !== "string") return [];
    const of = `${kind}/${name}`;
    const other = seen.find((earlier) => earlier.of === of);
    seen.push({ of, path });
    if (other === undefined) return [];
    const message = `${fieldName(path)} must differ from ${fieldName(other.path)}, which is the ${kind} ${name} too`;
    return [{ path: [...path, "name"], at: "value", code: "duplicate", message }];
  });
}

/** Two sinks of files in one directory, or one's within the other's, would take each other's files for their own. */
function collidingPaths(value: YamlValue): readonly FieldProblem[] {
  const files = matchFields(value, "spec.sinks[].file.path");
  return files.flatMap(({ path, value: own }, index): readonly FieldProblem[] => {
    const other = files.slice(0, index).find((earlier) => isWithin(own, earlier.value) || isWithin(earlier.value, own));
    if (other === undefined) return [];
    const message = `${fieldName(path)} must lie apart from ${fieldName(other.path)}, ${shownValue(other.value)}: neither within nor around it`;
    return [{ path, at: "value", code: "duplicate", message }];
  });
}

function isWithin(inner: YamlValue, outer: YamlValue): boolean {
  return typeof inner === "string" && typeof outer === "string" && `${inner}/`.startsWith(`${outer}/`);
}
