// RFC 6902 as the API server applies it, for tests.

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** Throws where an operation does not fit, as the API server refuses the whole patch then. */
export function applyPatch(document: unknown, operations: readonly unknown[]): unknown {
  const root = { "": structuredClone(document) as Json };
  for (const operation of operations as Operation[]) applyOne(root, operation);
  return root[""];
}

function applyOne(root: Json, { op, path, value }: Operation): void {
  const parts = ["", ...path.split("/").slice(1)].map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = parts.pop() ?? "";
  let parent = root;
  for (const part of parts) parent = member(parent, part);
  const copy = structuredClone(value) as Json;
  if (Array.isArray(parent)) {
    const index = Number(last);
    if (!/^[0-9]+$/.test(last) || index > parent.length - (op === "add" ? 0 : 1)) throw new Error(`no ${path}`);
    if (op === "add") parent.splice(index, 0, copy);
    else if (op === "replace") parent[index] = copy;
    else if (op === "remove") parent.splice(index, 1);
    else throw new Error(op);
    return;
  }
  if (typeof parent !== "object" || parent === null) throw new Error(`no ${path}`);
  if (op !== "add" && !Object.hasOwn(parent, last)) throw new Error(`no ${path}`);
  if (op === "remove") delete parent[last];
  else if (op === "add" || op === "replace")
    Object.defineProperty(parent, last, { value: copy, enumerable: true, configurable: true, writable: true });
  else throw new Error(op);
}

function member(parent: Json, part: string): Json {
  const found = Array.isArray(parent)
    ? parent[Number(part)]
    : typeof parent === "object" && parent !== null && Object.hasOwn(parent, part)
      ? parent[part]
      : undefined;
  if (found === undefined) throw new Error(`no ${part}`);
  return found;
}
