// `npm run breaking`: only a release is a promise, so only a break with one fails.
import { resolve } from "node:path";
import { compareProto } from "./compare.ts";

const comparison = compareProto(resolve(import.meta.dirname, "../../.."));
if (comparison.kind === "nothing to compare")
  console.log("nothing to compare: nothing is released, and proto/ has never changed");
else {
  const { with: before, released, breaks } = comparison;
  for (const line of breaks) console.log(line);
  console.log(`proto/ ${breaks.length === 0 ? "agrees with" : "BREAKS with"} ${before}`);
  if (!released) console.log("nothing is released yet: a break is shown, not refused");
  else if (breaks.length > 0) process.exitCode = 1;
}
