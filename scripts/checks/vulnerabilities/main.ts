// `npm run vulnerabilities`: fails where a package that we ship has a known vulnerability, high or critical. A registry
// that answers no such question (a mirror, none at all) is said aloud and does not fail.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { judgeAudit } from "./judge.ts";

const { stdout, error } = spawnSync("npm", ["audit", "--omit=dev", "--json"], {
  cwd: resolve(import.meta.dirname, "../../.."),
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
});
if (error) throw error;
const judgement = judgeAudit(stdout, "high");
switch (judgement.kind) {
  case "clean":
    console.log("no known vulnerability, high or critical, in what we ship");
    break;
  case "vulnerable":
    console.log(judgement.lines.join("\n"));
    process.exitCode = 1;
    break;
  case "unknown":
    console.log(`NOT CHECKED: the registry does not tell vulnerabilities (${judgement.reason})`);
    break;
}
