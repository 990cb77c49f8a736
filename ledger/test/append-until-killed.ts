// A writer to be killed: appends as fast as it can, and says the number of each record once it was acknowledged.
import { writeSync } from "node:fs";
import { decision, open } from "./test-ledger.ts";

const [, , directory = "", mode = "each", key] = process.argv;
const writer = await open(directory, {
  durability: { each: mode === "each", everyMs: 1 },
  // Segments end often, so that some kill falls between the end of one and the beginning of the next.
  limits: { segmentBytes: 8 * 1024 },
  ...(key === undefined ? {} : { keyEncryptionKey: Buffer.from(key, "hex") }),
});
writeSync(1, `${JSON.stringify(writer.recovery)}\n`);
await Promise.all(
  Array.from({ length: 8 }, async () => {
    for (let number = 0; ; number++) {
      const { seq } = await writer.append(decision(number));
      // One write a number: what is in the pipe survives us.
      writeSync(1, `${seq}\n`);
    }
  }),
);
