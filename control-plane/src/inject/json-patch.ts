import { type Fields, isFields } from "./shape.ts";

/** RFC 6902. `path` is a list here, for those that apply it to something else than JSON. */
export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: readonly (string | number)[]; readonly value: unknown }
  | { readonly op: "remove"; readonly path: readonly (string | number)[] };

/**
 * What makes `after` of `before`, in order. Parts that are the same object in both are not looked into, so that nothing is
 * said of what nobody touched, and nothing is lost that JSON numbers of JavaScript can't hold. Entries of lists are the same
 * when they are the same object or have the same `name`.
 */
export function diff(before: unknown, after: unknown): readonly PatchOperation[] {
  const operations: PatchOperation[] = [];
  collect([], before, after, operations);
  return operations;
}

/** The operations as RFC 6902 writes them. */
export function jsonPatch(operations: readonly PatchOperation[]): readonly Fields[] {
  return operations.map((operation) => ({ ...operation, path: pointer(operation.path) }));
}

function pointer(path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

type Path = readonly (string | number)[];

function collect(path: Path, before: unknown, after: unknown, operations: PatchOperation[]): void {
  if (before === after) return;
  if (isFields(before) && isFields(after)) collectFields(path, before, after, operations);
  else if (Array.isArray(before) && Array.isArray(after)) collectList(path, before, after, operations);
  else operations.push({ op: "replace", path, value: after });
}

function collectFields(path: Path, before: Fields, after: Fields, operations: PatchOperation[]): void {
  for (const name of Object.keys(before))
    if (!Object.hasOwn(after, name)) operations.push({ op: "remove", path: [...path, name] });
  for (const [name, value] of Object.entries(after)) {
    if (Object.hasOwn(before, name)) collect([...path, name], before[name], value, operations);
    else operations.push({ op: "add", path: [...path, name], value });
  }
}

function collectList(
  path: Path,
  before: readonly unknown[],
  after: readonly unknown[],
  operations: PatchOperation[],
): void {
  // Entries that keep their order: both lists are walked together.
  const steps: PatchOperation[] = [];
  let at = 0;
  for (const [index, value] of after.entries()) {
    const entryPath = [...path, index];
    while (at < before.length && !isSame(before[at], value) && !after.some((kept) => isSame(before[at], kept))) {
      steps.push({ op: "remove", path: entryPath });
      at++;
    }
    if (at < before.length && isSame(before[at], value)) collect(entryPath, before[at++], value, steps);
    else if (before.slice(at).some((kept) => isSame(kept, value))) {
      // Moved about: said at once.
      operations.push({ op: "replace", path, value: after });
      return;
    } else steps.push({ op: "add", path: entryPath, value });
  }
  for (; at < before.length; at++) steps.push({ op: "remove", path: [...path, after.length] });
  operations.push(...steps);
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (isFields(a) && isFields(b) && typeof a["name"] === "string" && a["name"] === b["name"]);
}
