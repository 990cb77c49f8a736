// Where a file stands in the layout.
import { posix } from "node:path";
import type { Layout, Workspace } from "./layout.ts";

/** Where a file stands: in which workspace, whether it is pure, and after how many areas of the flow. */
export interface Standing {
  readonly workspace: Workspace | undefined;
  readonly isTest: boolean;
  /** Position of its area in the flow where the file is pure. */
  readonly pureAt: number | undefined;
}

/** Tests, and what stands in a folder `test` or `testing` only for them. */
export const isTestFile = (path: string): boolean =>
  path.endsWith(".test.ts") || path.split("/").some((part) => part === "test" || part === "testing");

export function standingOf(path: string, { workspaces, flow }: Layout): Standing {
  const isTest = isTestFile(path);
  const at = flow.findIndex(({ folder, pure }) =>
    pure === "all"
      ? path.startsWith(`${folder}/`)
      : posix.dirname(path) === folder && pure.includes(posix.basename(path)),
  );
  return {
    workspace: workspaces.find(({ name }) => path.startsWith(`${name}/`)),
    isTest,
    pureAt: isTest || at === -1 ? undefined : at,
  };
}
