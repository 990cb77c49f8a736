// What one file may import.
import { posix } from "node:path";
import type { Finding } from "../finding.ts";
import type { Layout, Workspace } from "./layout.ts";
import type { Import, SourceFile } from "./source-file.ts";
import { type Standing, standingOf } from "./standing.ts";

const scope = "@hedgerow/";

type Judgement = readonly [rule: string, why: string];

/** The npm package that a specifier names, without the path inside it. */
const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

function judgeRelative(file: SourceFile, standing: Standing, wanted: Import, layout: Layout): Judgement[] {
  const path = posix.join(posix.dirname(file.path), wanted.specifier);
  const { workspace, isTest } = standing;
  if (workspace === undefined) return [];
  if (!path.startsWith(`${workspace.name}/`)) {
    const mayUseScripts = isTest || workspace.runsEverything === true;
    return mayUseScripts && path.startsWith("scripts/")
      ? []
      : [["outside-workspace", `${path} lies outside ${workspace.name}: import a workspace by its name`]];
  }
  const target = standingOf(path, layout);
  const found: Judgement[] = [];
  if (!isTest && target.isTest) found.push(["test-import", `${path} is there for tests`]);
  if (standing.pureAt !== undefined && target.pureAt === undefined) found.push(["pure-order", `${path} is not pure`]);
  else if (standing.pureAt !== undefined && target.pureAt !== undefined && target.pureAt > standing.pureAt)
    found.push(["pure-order", `${path} stands later in the flow`]);
  if (file.path === `${workspace.name}/src/index.ts` && workspace.door === "pure" && target.pureAt === undefined)
    found.push(["pure-door", `${path} is not pure, and importing ${scope}${workspace.name} would bring it along`]);
  return found;
}

function judgeWorkspace(
  file: SourceFile,
  { workspace, pureAt }: Standing,
  wanted: Import,
  { workspaces }: Layout,
): Judgement[] {
  const [name = "", ...inside] = wanted.specifier.slice(scope.length).split("/");
  const found: Judgement[] = [];
  const isEdgeDoor = workspaces.find((one) => one.name === name)?.edgeDoors?.includes(inside.join("/")) === true;
  if (isEdgeDoor && pureAt !== undefined) found.push(["pure-order", `${wanted.specifier} is for edges`]);
  if (workspace !== undefined && name !== workspace.name && !workspace.mayImport.includes(name))
    found.push(["workspace-import", `${workspace.name} may not import ${name}`]);
  // Proto has a door for each generated file.
  if (inside.length > 0 && name !== "proto" && !isEdgeDoor)
    found.push(["one-door", `${scope}${name} has no other door than its index.ts`]);
  if (name === workspace?.name && !wanted.specifier.startsWith(`${scope}proto/`))
    found.push(["one-door", `${file.path} is inside ${name}: import the file itself`]);
  return found;
}

function judgePackage(standing: Standing, wanted: Import, layout: Layout, runtime: ReadonlySet<string>): Judgement[] {
  const name = packageOf(wanted.specifier);
  const found: Judgement[] = [];
  if (standing.pureAt !== undefined && !layout.purePackages.includes(name))
    found.push(["pure-package", `${name} is not among the packages that only compute`]);
  if (standing.workspace !== undefined && !standing.isTest && !runtime.has(name))
    found.push(["runtime-dependency", `${name} is not in "dependencies" of ${standing.workspace.name}/package.json`]);
  return found;
}

function judgeNode(standing: Standing, wanted: Import, layout: Layout): Judgement[] {
  if (standing.pureAt === undefined) return [];
  if (wanted.specifier !== "node:crypto") return [["pure-node", `${wanted.specifier} is for edges`]];
  return wanted.names
    .filter((name) => !layout.pureCrypto.includes(name))
    .map((name) => ["pure-node", `${name} of node:crypto does more than hash and verify`] as const);
}

/**
 * Every import of `file` that breaks a rule. `dependenciesOf` gives the names under "dependencies" of a workspace's
 * package.json, its own workspaces included.
 */
export function misplacedImports(
  file: SourceFile,
  layout: Layout,
  dependenciesOf: (workspace: Workspace) => ReadonlySet<string>,
): readonly Finding[] {
  const standing = standingOf(file.path, layout);
  const runtime = standing.workspace === undefined ? new Set<string>() : dependenciesOf(standing.workspace);
  return file.imports.flatMap((wanted) => {
    const { specifier, line } = wanted;
    const judgements = specifier.startsWith(".")
      ? judgeRelative(file, standing, wanted, layout)
      : specifier.startsWith("node:")
        ? judgeNode(standing, wanted, layout)
        : specifier.startsWith(scope)
          ? judgeWorkspace(file, standing, wanted, layout)
          : judgePackage(standing, wanted, layout, runtime);
    return judgements.map(([rule, why]) => ({ file: file.path, line, rule, why: `${specifier}: ${why}` }));
  });
}
