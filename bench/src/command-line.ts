import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";

export type Request =
  | { readonly kind: "list" }
  | { readonly kind: "run"; readonly bench: Bench; readonly quick: boolean; readonly json: boolean }
  | { readonly kind: "wrong"; readonly problem: string };

export const usage = "usage: npm run bench -- [NAME [--quick] [--json]]";

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function parseCommandLine(args: readonly string[], benches: readonly Bench[]): Request {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { quick: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
    });
    const [name, ...more] = positionals;
    if (name === undefined && !values.quick && !values.json) return { kind: "list" };
    if (name === undefined || more.length > 0) return { kind: "wrong", problem: "name one benchmark" };
    const bench = benches.find((candidate) => candidate.name === name);
    if (bench === undefined) {
      const names = benches.map((candidate) => candidate.name).join(", ") || "none yet";
      return { kind: "wrong", problem: `no benchmark is called ${name}; there are: ${names}` };
    }
    return { kind: "run", bench, ...values };
  } catch (error) {
    return { kind: "wrong", problem: message(error) };
  }
}
