import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const requirements = join(root, "scripts/ledger-verifier.requirements.txt");

/** Why docs/verify-ledger.py can't be run here; undefined: it can. */
export function withoutPython(): string | undefined {
  const { status, stdout } = spawnSync("python3", ["-c", "import sys; print(sys.version_info.minor)"], {
    encoding: "utf8",
  });
  if (status !== 0) return "there is no python3";
  return Number(stdout) >= 10 ? undefined : `Python 3.${stdout.trim()} is too old for what it needs`;
}

/** Installs what it needs, with hashes, where it is not there yet. Resolves to the directory for PYTHONPATH. */
function packages(): string {
  const key = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 16);
  const target = join(root, ".cache", `ledger-verifier-${key}`);
  if (existsSync(target)) return target;
  mkdirSync(join(root, ".cache"), { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  const args = ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"];
  const { status, stderr } = spawnSync("python3", [...args, "--target", unfinished, "-r", requirements], {
    encoding: "utf8",
    env: { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_USER: "0", PIP_ROOT_USER_ACTION: "ignore" },
  });
  if (status !== 0) throw new Error(`pip could not install the independent verifier's packages:\n${stderr}`);
  try {
    renameSync(unfinished, target);
  } catch (error) {
    // Another run was first.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** Runs docs/verify-ledger.py as an auditor would. */
export function verifyIndependently(...args: readonly string[]): {
  readonly status: number | null;
  readonly output: string;
} {
  const script = join(root, "docs/verify-ledger.py");
  const { status, stdout, stderr } = spawnSync("python3", [script, ...args], {
    encoding: "utf8",
    env: { ...process.env, PYTHONPATH: packages(), PYTHONDONTWRITEBYTECODE: "1" },
  });
  return { status, output: stdout + stderr };
}
