import type { Bench } from "./bench.ts";
import { type Request, usage } from "./command-line.ts";
import { formatTable } from "./table.ts";

/** Where a command writes: `print` to standard output, what others may read on; `tell` to standard error. */
export interface Output {
  readonly print: (text: string) => void;
  readonly tell: (line: string) => void;
}

/** Does what was asked. Answers the exit status; throws what the benchmark throws. */
export async function answer(
  request: Request,
  benches: readonly Bench[],
  { print, tell }: Output,
  signal: AbortSignal,
): Promise<0 | 2> {
  switch (request.kind) {
    case "list":
      tell(usage);
      print(formatTable(benches.map(({ name, description }) => ({ name, measures: description }))));
      return 0;
    case "run": {
      const { bench, quick, json } = request;
      const result = await bench.run({ quick, log: (line) => tell(`${bench.name}: ${line}`), signal });
      print(formatTable(result.rows));
      if (json) print(`${JSON.stringify({ bench: bench.name, quick, ...result.json })}\n`);
      return 0;
    }
    case "wrong":
      tell(`bench: ${request.problem}`);
      tell(usage);
      return 2;
  }
}
