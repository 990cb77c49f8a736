import { text } from "node:stream/consumers";
import type { WriteStream } from "node:tty";
import type { Screen } from "./host.ts";
import { run } from "./run.ts";

/** A reader that has seen enough (`| head`) closes the pipe: no failure of ours, and nothing left to say. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

function screenOf(stream: WriteStream): Screen {
  stream.on("error", ignoreClosedPipe);
  return {
    write: (chunk) => void stream.write(chunk),
    // An empty write is called back after those before it, or with the error that ended the stream.
    taken: () => new Promise((resolve) => stream.write("", (error) => resolve(error == null))),
    columns: stream.isTTY ? stream.columns : undefined,
  };
}

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  stdout: screenOf(process.stdout),
  stderr: screenOf(process.stderr),
  readStdin: () => text(process.stdin),
  now: () => Date.now(),
});
