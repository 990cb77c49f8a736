// Changes in YAML that leave the rest as a person wrote it: comments, order, quotes.
import type { PatchOperation } from "@hedgerow/control-plane";
import { type Document, isMap, isSeq, type Node, Pair, parseDocument, Scalar, visit, YAMLMap, YAMLSeq } from "yaml";

/** One document of a file, with the `---` before it. All pieces of a file together are the file, to the byte. */
export interface YamlPiece {
  readonly text: string;
  /** Of its first line, from 1. */
  readonly line: number;
}

/** `---` at the beginning of a line always ends a document, even within a text block (YAML 1.2, c-forbidden). */
export function splitYaml(text: string): readonly YamlPiece[] {
  const starts = [0, ...[...text.matchAll(/^---(?=\s|$)/gm)].map(({ index }) => index)];
  const pieces: YamlPiece[] = [];
  let line = 1;
  for (const [number, start] of starts.entries()) {
    const piece = text.slice(start, starts[number + 1]);
    if (piece === "") continue;
    pieces.push({ text: piece, line });
    line += piece.split("\n").length - 1;
  }
  return pieces;
}

export type YamlRead =
  | { readonly kind: "value"; readonly value: unknown }
  /** Comments and the like. */
  | { readonly kind: "nothing" }
  /** `line` counts from 1, from the beginning of the piece. */
  | { readonly kind: "problem"; readonly line: number; readonly message: string };

/** The value of a piece as kubectl reads it: YAML 1.1, with merge keys. */
export function readPiece(text: string): YamlRead {
  if (text.split("\n").every((line) => /^(---)?\s*([#%].*)?$/.test(line))) return { kind: "nothing" };
  const document = parseDocument(text, { version: "1.1", merge: true, stringKeys: true, logLevel: "silent" });
  const [error] = document.errors;
  if (error !== undefined)
    return { kind: "problem", line: error.linePos?.[0].line ?? 1, message: error.message.split("\n", 1)[0] ?? "" };
  try {
    return { kind: "value", value: document.toJS() };
  } catch (thrown) {
    // Aliases of aliases, without end or nearly.
    return { kind: "problem", line: 1, message: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

/**
 * The piece with these operations done; undefined where it has aliases: what is written once stands in several places
 * then, of which not all are meant.
 */
export function editPiece(text: string, operations: readonly PatchOperation[]): string | undefined {
  // Without a schema every scalar is the text that it was, and is written as such.
  const document: Document = parseDocument(text, { schema: "failsafe", logLevel: "silent" });
  if (aliasesIn(document) > 0 || !operations.every((operation) => apply(document, operation))) return undefined;
  return document.toString({
    lineWidth: 0,
    indentSeq: !/^( *)[^\s#-][^\n]*:[ \t]*(#[^\n]*)?\n\1- /m.test(text),
    flowCollectionPadding: !/[{[][^\s\]}]/.test(text),
  });
}

function aliasesIn(document: Document): number {
  const aliases: Node[] = [];
  visit(document, { Alias: (_, alias) => void aliases.push(alias) });
  return aliases.length;
}

function apply(document: Document, operation: PatchOperation): boolean {
  const path = [...operation.path];
  const last = path.pop();
  const parent = document.getIn(path, true);
  if (last === undefined) return false;
  if (isMap(parent)) {
    if (operation.op === "remove") return parent.delete(last);
    const value = toNode(operation.value);
    const pair = parent.items.find(({ key }) => key instanceof Scalar && key.value === last);
    if (pair === undefined) parent.add(new Pair(toNode(last), value));
    else pair.value = value;
    return true;
  }
  if (!isSeq(parent) || typeof last !== "number" || last > parent.items.length) return false;
  if (operation.op === "remove") parent.items.splice(last, 1);
  else parent.items.splice(last, operation.op === "replace" ? 1 : 0, toNode(operation.value));
  return true;
}

/** Texts that YAML could take for something else are quoted. */
function toNode(value: unknown): Node {
  if (Array.isArray(value)) {
    const list = new YAMLSeq();
    list.items = value.map(toNode);
    return list;
  }
  if (typeof value === "object" && value !== null) {
    const map = new YAMLMap();
    for (const [name, entry] of Object.entries(value)) map.add(new Pair(toNode(name), toNode(entry)));
    return map;
  }
  const scalar = new Scalar(String(value));
  const isPlain = typeof value !== "string" || /^[A-Za-z/][-\w./@]*$/.test(value);
  const isWord = typeof value === "string" && /^(true|false|null|yes|no|on|off|y|n|e[\d_]*)$/i.test(value);
  const quoted = typeof value === "string" && value.includes('"') ? "QUOTE_SINGLE" : "QUOTE_DOUBLE";
  scalar.type = isPlain && !isWord ? "PLAIN" : quoted;
  return scalar;
}
