// Licences of what we ship, read from the lockfile: it names every package for every platform, installed here or not.
import { z } from "zod";
import type { Finding } from "../finding.ts";
import { isMetBy } from "./expression.ts";

const lockfileSchema = z.object({
  lockfileVersion: z.literal(3),
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      license: z.string().optional(),
      dev: z.boolean().optional(),
      link: z.boolean().optional(),
    }),
  ),
});

/**
 * Licences that let us ship a package, changed or not, in a closed product, given its notice. No copyleft, not even a
 * weak one: that would be a decision, not an entry here.
 */
export const allowedLicences: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Unlicense",
  "Zlib",
]);

/**
 * Every package that is no development dependency and whose licence is not allowed or not stated. `text` is a
 * package-lock.json; throws where it is none of version 3.
 */
export function refusedLicences(text: string, allowed: ReadonlySet<string>): readonly Finding[] {
  const { packages } = lockfileSchema.parse(JSON.parse(text));
  const lines = text.split("\n");
  return Object.entries(packages).flatMap(([path, { version, license, dev, link }]) => {
    // Only what lies in a node_modules folder comes from elsewhere; a link leads to a workspace of ours.
    if (!path.includes("node_modules/") || dev === true || link === true) return [];
    if (license !== undefined && isMetBy(license, allowed)) return [];
    const line = lines.findIndex((text) => text.trim().startsWith(`${JSON.stringify(path)}:`)) + 1;
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const why = `${name} ${version ?? ""} has the licence ${license ?? "(none stated)"}, which is not in the allow-list`;
    return [{ file: "package-lock.json", line, rule: "licence", why }];
  });
}
