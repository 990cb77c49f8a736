import { nearestName, shownValue } from "./field-name.ts";
import { isMapping, withoutFields } from "./field-pattern.ts";
import { collidingEntries } from "./kinds/distinct-entries.ts";
import { ignoredFields } from "./kinds/ignored-fields.ts";
import { type Manifest, manifestSchemas } from "./kinds/manifest.ts";
import { meshPart } from "./mesh-part.ts";
import type { ObjectRef } from "./object.ts";
import { schemaProblems } from "./schema-problems.ts";
import type { FieldProblem, ReadValue, YamlValue } from "./yaml-value.ts";

/** What one value says of itself, before positions are known. */
export interface Validated {
  readonly ref: ObjectRef | undefined;
  readonly manifest: Manifest | undefined;
  readonly problems: readonly FieldProblem[];
  /** The value without the fields that are not read. */
  readonly read: YamlValue;
  /** See ParsedDocument. */
  readonly foreign: string | undefined;
}

export const nothingValid: Validated = {
  ref: undefined,
  manifest: undefined,
  problems: [],
  read: null,
  foreign: undefined,
};

/** As `validate`, of what could be read; of a value that was left off in its middle nothing can be said. */
export function validateWhatWasRead({ value, problems }: ReadValue): Validated {
  return problems.some(({ code }) => code === "too_large") ? nothingValid : validate(value);
}

/** Everything that is wrong with one value by itself. Never throws, whatever its content. */
export function validate(value: YamlValue): Validated {
  if (!isMapping(value)) {
    const message = `document must be a mapping with apiVersion, kind, metadata and spec, not ${shownValue(value)}`;
    return { ...nothingValid, problems: [{ path: [], at: "value", code: "wrong_type", message }] };
  }
  const kind = value["kind"];
  if (kind === undefined) {
    const message = "missing field kind";
    return { ...nothingValid, problems: [{ path: ["kind"], at: "value", code: "missing_field", message }] };
  }
  if (!isKnownKind(kind)) {
    const known = Object.keys(manifestSchemas);
    const near = typeof kind === "string" ? nearestName(kind, known) : undefined;
    const hint = near === undefined ? `known kinds: ${known.join(", ")}` : `did you mean ${near}?`;
    const message = `unknown kind ${shownValue(kind)}; ${hint}`;
    const foreign = foreignKind(value["apiVersion"], kind, near);
    return { ...nothingValid, foreign, problems: [{ path: ["kind"], at: "value", code: "unknown_kind", message }] };
  }
  const wrote = withoutFields(value, "metadata.creationTimestamp", (time) => time === null);
  const kept = ignoredFields[kind].reduce<YamlValue>((rest, pattern) => withoutFields(rest, pattern), wrote);
  const result = schemaProblems<Manifest>(manifestSchemas[kind], kept);
  const collisions = collidingEntries(kind, kept);
  const problems = result.ok ? collisions : [...result.problems, ...collisions];
  return {
    ref: refOf(kind, kept),
    manifest: result.ok ? result.value : undefined,
    problems,
    read: kept,
    foreign: meshPart(kept) === undefined ? `${kind} of Gateways` : undefined,
  };
}

/** Of a kind that is not ours: its name, where it is another's rather than one of ours in other letters. */
function foreignKind(apiVersion: YamlValue | undefined, kind: YamlValue, near: string | undefined): string | undefined {
  if (typeof kind !== "string" || kind === "" || typeof apiVersion !== "string") return undefined;
  // What a list holds is not looked at, so it must not pass for something that was.
  if (apiVersion.startsWith("hedgerow.dev/") || kind === "List") return undefined;
  const meant = near !== undefined && isKnownKind(near) ? manifestSchemas[near].shape.apiVersion.value : undefined;
  return meant === apiVersion ? undefined : kind;
}

function isKnownKind(kind: YamlValue): kind is Manifest["kind"] {
  return typeof kind === "string" && Object.hasOwn(manifestSchemas, kind);
}

function refOf(kind: Manifest["kind"], value: YamlValue): ObjectRef | undefined {
  const metadata = isMapping(value) ? value["metadata"] : undefined;
  if (!isMapping(metadata)) return undefined;
  const { name, namespace = "default" } = metadata;
  return typeof name === "string" && typeof namespace === "string" ? { kind, namespace, name } : undefined;
}
