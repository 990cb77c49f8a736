// `npm run bench`: a table on standard output, with --json followed by one line of JSON; progress on standard error.
import { answer } from "./answer.ts";
import { benches } from "./benches.ts";
import { parseCommandLine } from "./command-line.ts";

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => {
    process.stderr.write("bench: stopping\n");
    stopping.abort();
  });

const output = {
  print: (text: string) => process.stdout.write(text),
  tell: (line: string) => process.stderr.write(`${line}\n`),
};
try {
  process.exitCode = await answer(parseCommandLine(process.argv.slice(2), benches), benches, output, stopping.signal);
} catch (error) {
  if (error !== stopping.signal.reason) throw error;
  process.exitCode = 130;
}
