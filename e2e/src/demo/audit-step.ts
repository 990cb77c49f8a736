import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hedgerow } from "../mesh/command.ts";
import { ledgerDirectories, readRecords } from "../mesh/ledger.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { until } from "../mesh/until.ts";
import { type Screen, thousands } from "./screen.ts";

/** Changes one byte of the last decision in the ledgers under `root`; resolves to its record number. */
function changeOneByte(root: string): number {
  const [directory] = readdirSync(root).flatMap((name) => ledgerDirectories(join(root, name)));
  if (directory === undefined) throw new Error("no ledger was kept");
  const file = join(directory, "00000000.jsonl");
  const text = readFileSync(file, "utf8");
  const at = text.lastIndexOf('"verdict":"allow"');
  if (at < 0) throw new Error(`${file} holds no decision`);
  const bytes = Buffer.from(text);
  const offset = Buffer.byteLength(text.slice(0, at)) + '"verdict":"'.length;
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x20;
  writeFileSync(file, bytes);
  const line = text.slice(text.lastIndexOf("\n", at) + 1, text.indexOf("\n", at));
  return (JSON.parse(line.slice(line.indexOf(" ") + 1)) as { readonly seq: number }).seq;
}

/** Every ledger against what the witness knows; then again with one byte changed in a copy. */
export async function showAudit(screen: Screen, mesh: Mesh): Promise<void> {
  const run = join(mesh.directory, "run");
  const socket = ["--socket", join(mesh.directory, "state/admin.sock")];
  const ledgers = ["--ledger", run, "--ledger", join(mesh.directory, "state/audit")];
  const verified = await until("every outcome in the ledgers", 20_000, async () => {
    const records = mesh.predictors.flatMap(({ name }) => mesh.records(name));
    const count = (type: string): number => records.filter((record) => record.type === type).length;
    return count("outcome") === count("decision") && hedgerow("audit", "verify", "--all", ...ledgers, ...socket);
  });
  const records =
    mesh.predictors.reduce((sum, { name }) => sum + mesh.records(name).length, 0) +
    ledgerDirectories(join(mesh.directory, "state/audit")).flatMap(readRecords).length;
  const copy = join(mesh.directory, "changed-copy");
  for (const { name } of mesh.predictors) cpSync(join(run, name, "audit"), join(copy, name), { recursive: true });
  const record = changeOneByte(copy);
  const changed = await hedgerow("audit", "verify", "--ledger", copy, ...socket);
  const isNamed = changed.status === 1 && changed.stdout.replaceAll(",", "").includes(`record ${record}`);
  screen.check(
    verified.status === 0 && isNamed,
    "audit",
    verified.status !== 0
      ? `not verified: ${verified.stdout || verified.stderr}`
      : `${thousands(records)} records verified; one byte changed in a copy → ${isNamed ? `record ${thousands(record)}` : `not found: ${changed.stdout || changed.stderr}`}`,
  );
}
