import { run } from "../run.ts";
import type { Ended } from "./run-bin.ts";

/** What a test may say of the process. */
export interface Place {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Width of the terminal that both streams are; undefined for pipes. */
  readonly columns?: number;
  readonly nowMs?: number;
}

/** Runs a command line within this process, which starts faster than another. */
export async function runHere(args: readonly string[], place: Place = {}): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  const screen = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
    },
    taken: () => Promise.resolve(true),
    columns: place.columns,
  });
  const code = await run(args, {
    env: place.env ?? {},
    stdout: screen("stdout"),
    stderr: screen("stderr"),
    readStdin: () => Promise.resolve(place.stdin ?? ""),
    now: () => place.nowMs ?? Date.parse("2026-11-24T10:00:00Z"),
  });
  return { code, ...written };
}
