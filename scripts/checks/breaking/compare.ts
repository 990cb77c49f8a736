// proto/ against what was promised: the last release, or, while nothing is released, what it was before its last change.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const published = ["proto/hedgerow", "proto/inference", "proto/grpc"];

export type Comparison =
  | { readonly kind: "nothing to compare" }
  /** `breaks` has a line for each promise broken, and is empty where none is. */
  | {
      readonly kind: "compared";
      readonly with: string;
      readonly released: boolean;
      readonly breaks: readonly string[];
    };

const git = (root: string, ...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();

function breaksWith(root: string, commit: string): readonly string[] {
  const before = mkdtempSync(join(tmpdir(), "hedgerow-breaking-"));
  try {
    const archive = execFileSync("git", ["archive", commit, ...published], { cwd: root });
    execFileSync("tar", ["-x", "-C", before], { input: archive });
    const { status, error, stdout, stderr } = spawnSync(
      join(root, "node_modules/.bin/buf"),
      ["breaking", "proto", "--against", join(before, "proto")],
      { cwd: root, encoding: "utf8" },
    );
    if (error) throw error;
    if (status === 0) return [];
    // buf ends with 100 where it found something, and with another status where it could not look.
    if (status !== 100) throw new Error(`buf breaking ended with status ${status}: ${stderr}`);
    return stdout.trim().split("\n");
  } finally {
    rmSync(before, { recursive: true, force: true });
  }
}

/** Throws where git or buf can't look. Releases are the tags `v…` that HEAD descends from. */
export function compareProto(root: string): Comparison {
  const [release] = git(root, "tag", "--merged", "HEAD", "--sort=-version:refname", "--list", "v*").split("\n");
  if (release) return { kind: "compared", with: release, released: true, breaks: breaksWith(root, release) };
  const [, earlier] = git(root, "log", "-2", "--format=%H", "--", ...published).split("\n");
  return earlier
    ? { kind: "compared", with: earlier.slice(0, 12), released: false, breaks: breaksWith(root, earlier) }
    : { kind: "nothing to compare" };
}
