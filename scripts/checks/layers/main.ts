// Part of `npm run check`: prints every finding and fails if there is one.
import { resolve } from "node:path";
import { describeFindings } from "../finding.ts";
import { checkLayers } from "./check.ts";
import { layout } from "./layout.ts";

const findings = checkLayers(resolve(import.meta.dirname, "../../.."), layout, "scripts/checks/layers/layout.ts");
process.stdout.write(describeFindings(findings));
if (findings.length > 0) process.exitCode = 1;
