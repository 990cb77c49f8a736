import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../bin/hedgerow.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real command as a person would, with nothing of this environment but PATH. */
export async function runBin(args: readonly string[], { stdin = "", env = {} } = {}): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], { env: { PATH: process.env["PATH"], ...env } });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  child.stdin.end(stdin);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}
