// Part of `npm run check`: prints every package that we may not ship and fails if there is one.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describeFindings } from "../finding.ts";
import { allowedLicences, refusedLicences } from "./check.ts";

const lockfile = readFileSync(resolve(import.meta.dirname, "../../../package-lock.json"), "utf8");
const findings = refusedLicences(lockfile, allowedLicences);
process.stdout.write(describeFindings(findings));
if (findings.length > 0) process.exitCode = 1;
