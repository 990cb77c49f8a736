import { readFileSync } from "node:fs";

/** The version of this command, as its package says. */
export function cliVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const isPackage = typeof manifest === "object" && manifest !== null && "version" in manifest;
  if (!isPackage || typeof manifest.version !== "string") throw new Error("cli/package.json has no version");
  return manifest.version;
}
