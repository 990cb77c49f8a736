// What makes a file impure, beyond what it imports: the clock, randomness, the process, the console, timers, the network
// and anything asynchronous.
import type { Node } from "oxc-parser";
import type { Finding } from "../finding.ts";
import type { SourceFile } from "./source-file.ts";
import { declaredNames, isReference, type Place, placesUnder } from "./syntax.ts";

type Judgement = readonly [rule: string, why: string];

const timers = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "scheduler"];
const async = ["Promise", "PromiseLike", "AsyncIterable", "AsyncIterator", "AsyncIterableIterator", "AsyncGenerator"];
const globals = new Map<string, Judgement>([
  ["performance", ["pure-clock", "performance reads the clock"]],
  ["Temporal", ["pure-clock", "Temporal reads the clock"]],
  ["crypto", ["pure-random", "the global crypto makes randomness and promises: import from node:crypto"]],
  ["process", ["pure-process", "process is the world outside"]],
  ["console", ["pure-console", "console writes"]],
  ["fetch", ["pure-network", "fetch opens a connection"]],
  ["WebSocket", ["pure-network", "WebSocket opens a connection"]],
  ["require", ["pure-dynamic", "require loads what no rule sees"]],
  ["eval", ["pure-dynamic", "eval runs what no rule sees"]],
  ...["globalThis", "global"].map((name) => [name, ["pure-dynamic", `${name} reaches what no rule sees`]] as const),
  ...timers.map((name) => [name, ["pure-timer", `${name} does its work later`]] as const),
  ...async.map((name) => [name, ["pure-async", `${name} answers later`]] as const),
]);

/** The member that `object.member` names, where it names one. */
function memberOf({ parent, key }: Place): string | undefined {
  return parent?.type === "MemberExpression" &&
    key === "object" &&
    parent.property.type === "Identifier" &&
    !parent.computed
    ? parent.property.name
    : undefined;
}

const isType = ({ parent }: Place) => parent?.type === "TSTypeReference" || parent?.type === "TSQualifiedName";

function judgeDate(place: Place): Judgement | undefined {
  const { node, parent, key } = place;
  if (isType(place)) return undefined;
  if (parent?.type === "NewExpression" && key === "callee" && parent.arguments.length > 0) return undefined;
  if (parent?.type === "BinaryExpression" && parent.operator === "instanceof" && parent.right === node)
    return undefined;
  if (["parse", "UTC"].includes(memberOf(place) ?? "")) return undefined;
  return ["pure-clock", "Date reads the clock unless it is made from a number or a text: take the time as an argument"];
}

function judgeMath(place: Place): Judgement | undefined {
  const member = memberOf(place);
  return member === undefined || member === "random"
    ? ["pure-random", "Math.random makes randomness: take it as an argument"]
    : undefined;
}

function judgeSyntax(node: Node): Judgement | undefined {
  if ("async" in node && node.async) return ["pure-async", "an async function answers later"];
  if (node.type === "AwaitExpression") return ["pure-async", "await waits"];
  if (node.type === "ForOfStatement" && node.await) return ["pure-async", "for await waits"];
  if (node.type === "VariableDeclaration" && node.kind === "await using") return ["pure-async", "await using waits"];
  if (node.type === "ImportExpression") return ["pure-async", "import() answers later"];
  if (node.type === "MetaProperty" && node.meta.name === "import")
    return ["pure-process", "import.meta says where the file lies"];
  return undefined;
}

/** Every impurity in a file that is to be pure. */
export function impuritiesOf(file: SourceFile): readonly Finding[] {
  const places = [...placesUnder(file.program())];
  const declared = declaredNames(places);
  return places.flatMap((place) => {
    const { node } = place;
    const judgement =
      node.type === "Identifier" && isReference(place) && !declared.has(node.name)
        ? node.name === "Date"
          ? judgeDate(place)
          : node.name === "Math"
            ? judgeMath(place)
            : globals.get(node.name)
        : judgeSyntax(node);
    if (judgement === undefined) return [];
    const [rule, why] = judgement;
    return [{ file: file.path, line: file.lineAt(node.start), rule, why }];
  });
}
