import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordBody } from "@hedgerow/ledger";
import { MeshAuthority, type WrittenLedger } from "./mesh-authority.ts";
import { decision, denial, outcome, policyEdit, refusal } from "./records.ts";
import type { Ended } from "./run-bin.ts";
import { runHere } from "./run-here.ts";
import { scriptedAdmin } from "./scripted-admin.ts";

export const ALLOWED = "7Q3FK2M9D0Z4XN8B";
export const DENIED = "8R4GK2M9D0Z4XN8B";
/** Repeats ALLOWED. */
const REPEAT = "AT6JK2M9D0Z4XN8B";
/** Under no checkpoint yet. */
export const LAST = "9S5HK2M9D0Z4XN8B";

/** With their opening and closing records 0 to 9; 1 to 4 in a closed segment. */
export const bodies: readonly RecordBody[] = [
  decision(ALLOWED, { request: "first" }),
  denial(DENIED),
  outcome(ALLOWED),
  outcome(DENIED, { status: 403, grpcStatus: 7 }),
  decision(REPEAT, { request: "first", repeats: ALLOWED }),
  refusal("r-1"),
  decision(LAST),
];

/** A mesh with two ledgers, its control plane's admin service, and an auditor elsewhere. */
export class AuditedMesh implements Disposable {
  readonly directory: string;
  readonly authority: MeshAuthority;
  readonly digits: WrittenLedger;
  /** What the admin service was told of reads. */
  readonly reads: string[] = [];
  readonly #witnessFile: string;

  private constructor(directory: string, authority: MeshAuthority, digits: WrittenLedger) {
    this.directory = directory;
    this.authority = authority;
    this.digits = digits;
    this.#witnessFile = join(directory, "witness.json");
  }

  static async start(): Promise<AuditedMesh> {
    const directory = mkdtempSync(join(tmpdir(), "hedgerow-audit-"));
    const authority = new MeshAuthority(directory);
    const digits = await authority.write("audit/models.models", bodies, {
      every: 3,
      roll: [4],
      uncovered: 1,
      region: "me-central-1",
    });
    const node = "hedgerow-system/control-plane-0";
    const spiffe = "spiffe://bank.example/ns/hedgerow-system/sa/control-plane";
    const identity = { node, spiffe, policy: "control-plane" };
    await authority.write("audit/control-plane", [policyEdit("create")], { identity });
    const mesh = new AuditedMesh(directory, authority, digits);
    const { code, stderr } = await mesh.ask("audit", "witness", "--out", mesh.#witnessFile);
    if (code !== 0) throw new Error(stderr);
    return mesh;
  }

  /** As an operator beside the control plane. */
  async ask(...args: string[]): Promise<Ended> {
    await using admin = await scriptedAdmin({
      listLedgers: ({ after }) => {
        const all = [...this.authority.witnessed.values()]
          .toSorted((a, b) => (a.ledger < b.ledger ? -1 : 1))
          .filter(({ ledger }) => ledger > after);
        // A page for each.
        return { ledgers: all.slice(0, 1), more: all.length > 1, trustBundle: [this.authority.rootDer] };
      },
      recordAuditRead: ({ command, query, ledgers }) => {
        this.reads.push(`${command} ${ledgers.length}: ${query}`);
        return {};
      },
    });
    return await runHere([...args, "--socket", admin.socket], {
      env: { HEDGEROW_AUDIT: join(this.directory, "audit") },
    });
  }

  /** As somebody far from the control plane, with copies that another may have edited. */
  async askOffline(edit: (audit: string) => void, ...args: string[]): Promise<Ended> {
    const copy = mkdtempSync(join(this.directory, "copy-"));
    const audit = join(copy, "audit");
    cpSync(join(this.directory, "audit"), audit, { recursive: true });
    edit(audit);
    const ended = await runHere([...args, "--ledger", audit], {
      env: { HEDGEROW_ADMIN_SOCKET: join(copy, "admin.sock") },
    });
    const nameless = (text: string) => text.replaceAll(audit, "AUDIT").replaceAll(copy, "DIR");
    return { code: ended.code, stdout: nameless(ended.stdout), stderr: nameless(ended.stderr) };
  }

  /** What an auditor has beside the copies. */
  get auditorArgs(): readonly string[] {
    return ["--roots", this.authority.roots, "--witness", this.#witnessFile];
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export const asIs = (): void => undefined;

/** A segment's file of the workload's ledger. */
export function segmentFile(audit: string, number = 0): string {
  return join(audit, "models.models", `${String(number).padStart(8, "0")}.jsonl`);
}

export function editText(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

export function editLines(path: string, change: (lines: string[]) => string[]): void {
  editText(path, (text) => `${change(text.trimEnd().split("\n")).join("\n")}\n`);
}
