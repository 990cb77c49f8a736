// Walking a syntax tree of oxc-parser, which is ESTree with TypeScript's nodes.
import { type Node, visitorKeys } from "oxc-parser";

/** A node, the node it hangs on, and the property of that node it hangs by. */
export interface Place {
  readonly node: Node;
  readonly parent: Node | undefined;
  readonly key: string;
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";

function childrenOf(node: Node): readonly Place[] {
  const properties = new Map<string, unknown>(Object.entries(node));
  return (visitorKeys[node.type] ?? []).flatMap((key) =>
    [properties.get(key)]
      .flat()
      .filter(isNode)
      .map((child) => ({ node: child, parent: node, key })),
  );
}

/** `root` and every node below it, in the order of the text. */
export function* placesUnder(root: Node): Generator<Place> {
  const waiting: Place[] = [{ node: root, parent: undefined, key: "" }];
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    yield place;
    waiting.push(...childrenOf(place.node).toReversed());
  }
}

function* namesBoundBy(pattern: Node): Generator<string> {
  if (pattern.type === "Identifier") yield pattern.name;
  else if (pattern.type === "AssignmentPattern") yield* namesBoundBy(pattern.left);
  else if (pattern.type === "RestElement") yield* namesBoundBy(pattern.argument);
  else if (pattern.type === "TSParameterProperty") yield* namesBoundBy(pattern.parameter);
  else if (pattern.type === "ArrayPattern")
    for (const element of pattern.elements) yield* element === null ? [] : namesBoundBy(element);
  else if (pattern.type === "ObjectPattern")
    for (const property of pattern.properties)
      yield* namesBoundBy(property.type === "Property" ? property.value : property.argument);
}

/** Names that the file declares anywhere, in whatever scope: there they do not mean the global of that name. */
export function declaredNames(places: readonly Place[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { node, parent, key } of places) {
    const declares =
      key === "params" ||
      key === "param" ||
      key === "local" ||
      (key === "id" && parent?.type !== "TSEnumMember") ||
      (key === "label" && parent?.type === "TSNamedTupleMember");
    if (declares && parent?.type !== "ExportSpecifier") for (const name of namesBoundBy(node)) names.add(name);
  }
  return names;
}

// Where the identifier under this key is a name of its own, unless it stands in brackets.
const ownNames = new Map<Node["type"], string>([
  ["MemberExpression", "property"],
  ["Property", "key"],
  ["MethodDefinition", "key"],
  ["PropertyDefinition", "key"],
  ["AccessorProperty", "key"],
  ["TSPropertySignature", "key"],
  ["TSMethodSignature", "key"],
  ["TSQualifiedName", "right"],
]);

const neverReferring = new Set<Node["type"]>([
  "ImportSpecifier",
  "ExportSpecifier",
  "LabeledStatement",
  "BreakStatement",
  "ContinueStatement",
  "MetaProperty",
  "TSEnumMember",
  "TSTypePredicate",
]);

/** Whether an identifier stands for a variable or a type, not for the name of a property, a label or an import. */
export function isReference({ node, parent, key }: Place): boolean {
  if (node.type !== "Identifier" || parent === undefined || neverReferring.has(parent.type)) return false;
  return ownNames.get(parent.type) !== key || ("computed" in parent && parent.computed);
}
