// `npm run bench`: a table on standard output, with --json followed by one line of JSON; progress on standard error.
import { answer } from "./answer.ts";
import { benches } from "./benches.ts";
import { parseCommandLine } from "./command-line.ts";

process.exitCode = await answer(parseCommandLine(process.argv.slice(2), benches), benches, {
  print: (text) => process.stdout.write(text),
  tell: (line) => process.stderr.write(`${line}\n`),
});
