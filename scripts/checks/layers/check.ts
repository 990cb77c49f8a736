// The whole tree against the layout.
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Finding } from "../finding.ts";
import { misplacedImports } from "./imports.ts";
import type { Layout, Workspace } from "./layout.ts";
import { impuritiesOf } from "./purity.ts";
import { readSourceFile } from "./source-file.ts";
import { isTestFile, standingOf } from "./standing.ts";

/** They say nothing of what is inside. */
const vagueNames = new Set(["utils", "util", "helpers", "helper", "common", "shared", "misc", "lib"]);
const skipped = new Set(["node_modules", "dist", "coverage", "gen"]);

function sourcesUnder(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory())
      return skipped.has(entry.name) || entry.name.startsWith(".") ? [] : sourcesUnder(root, path);
    return path.endsWith(".ts") && !path.endsWith(".d.ts") ? [path] : [];
  });
}

function dependenciesIn(root: string, { name }: Workspace): ReadonlySet<string> {
  const manifest: unknown = JSON.parse(readFileSync(join(root, name, "package.json"), "utf8"));
  const dependencies =
    typeof manifest === "object" && manifest !== null && "dependencies" in manifest ? manifest.dependencies : undefined;
  return new Set(Object.keys(dependencies ?? {}));
}

function vaguelyNamed(path: string): readonly Finding[] {
  return path
    .split("/")
    .map((part) => posix.basename(part, ".ts"))
    .filter((part) => vagueNames.has(part))
    .map((part) => ({ file: path, line: 1, rule: "vague-name", why: `"${part}" does not say what is inside` }));
}

/** Where the layout and the tree differ: a folder that nobody judged, an entry whose file is gone. */
function mismatches(paths: readonly string[], layout: Layout, layoutFile: string): readonly Finding[] {
  const stale = layout.flow.flatMap(({ folder, pure }) =>
    (pure === "all" ? [`${folder}/`] : pure.map((name) => `${folder}/${name}`))
      .filter((entry) => !paths.some((path) => path.startsWith(entry)))
      .map((entry) => ({ file: layoutFile, line: 1, rule: "stale-entry", why: `there is no ${entry}` })),
  );
  const unlisted = paths.filter((path) => {
    const { workspace } = standingOf(path, layout);
    if (workspace?.door !== "pure" || isTestFile(path)) return false;
    return !layout.flow.some(
      ({ folder, pure }) => posix.dirname(path) === folder || (pure === "all" && path.startsWith(`${folder}/`)),
    );
  });
  const firstIn = new Map(unlisted.toReversed().map((path) => [posix.dirname(path), path]));
  return [
    ...stale,
    ...[...firstIn].map(([folder, file]) => ({
      file,
      line: 1,
      rule: "unlisted-folder",
      why: `say in ${layoutFile} where ${folder} stands in the flow and what in it is pure`,
    })),
  ];
}

/**
 * Everything in the workspaces under `root` that breaks the layout. Throws where a file can't be read or parsed.
 * `layoutFile` is where findings send the reader to change the layout.
 */
export function checkLayers(root: string, layout: Layout, layoutFile: string): readonly Finding[] {
  const paths = layout.workspaces.flatMap(({ name }) => sourcesUnder(root, name));
  const dependencies = new Map(layout.workspaces.map((workspace) => [workspace.name, dependenciesIn(root, workspace)]));
  return [
    ...mismatches(paths, layout, layoutFile),
    ...paths.flatMap((path) => {
      const file = readSourceFile(path, readFileSync(join(root, path), "utf8"));
      return [
        ...vaguelyNamed(path),
        ...misplacedImports(file, layout, ({ name }) => dependencies.get(name) ?? new Set()),
        ...(standingOf(path, layout).pureAt === undefined ? [] : impuritiesOf(file)),
      ];
    }),
  ];
}
