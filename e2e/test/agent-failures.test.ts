// What callers see while the agent can't decide or record: refused, or let through, as the policy says; and back by itself.
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Code, ConnectError } from "@connectrpc/connect";
import { DECISION_HEADER } from "@hedgerow/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ledgerDirectories, readRecords } from "../src/mesh/ledger.ts";
import { auditFile } from "../src/mesh/manifests.ts";
import { classify, predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const NAME = "digits-v1-a";
/** A check takes 2 s at most, and two more servers are asked, were there any. */
const DEADLINE_MS = 12_000;
const settings = "durability: {fsync: each}";

// A disk that can be full: only root may make one.
const disk = mkdtempSync(join(tmpdir(), "hedgerow-disk-"));
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).status === 0;

const mesh = withMesh({
  predictors: new Map([[NAME, "1"]]),
  weights: [1, 0],
  audit: `{${settings}}`,
  agentSettings: new Map([[NAME, { HEDGEROW_AUDIT: join(disk, "audit") }]]),
});
afterAll(() => {
  if (mounted) execFileSync("umount", ["--lazy", disk]);
  rmSync(disk, { recursive: true, force: true });
});

const records = () => ledgerDirectories(join(disk, "audit")).flatMap(readRecords);

interface Asked {
  /** Decision id of an answer. */
  readonly decision?: string;
  readonly error?: ConnectError;
  readonly tookMs: number;
}

async function ask(): Promise<Asked> {
  const { reader, digit } = mesh();
  const startedMs = performance.now();
  try {
    const { decision = "" } = await classify(predictorClient(reader.localPort), digit, 30_000);
    return { decision, tookMs: performance.now() - startedMs };
  } catch (error) {
    return { error: ConnectError.from(error), tookMs: performance.now() - startedMs };
  }
}

function expectRefused({ error, tookMs }: Asked): void {
  expect(error?.code).toBe(Code.Unavailable);
  expect(error?.rawMessage).toMatch(/^refused: \S+$/);
  expect(error?.metadata.get(DECISION_HEADER)).toBeTruthy();
  expect(tookMs).toBeLessThan(DEADLINE_MS);
}

async function expectBack(): Promise<void> {
  const { decision } = await until("a recorded answer", 20_000, async () => {
    const asked = await ask();
    // An open policy answers without the agent, too.
    return asked.decision !== undefined && asked.decision !== "" && asked;
  });
  expect(records().some((one) => one.type === "decision" && one.id === decision)).toBe(true);
}

interface Failure {
  readonly begin: () => void | Promise<void>;
  readonly end: () => void;
}

async function envoyStat(filter: string): Promise<string> {
  const socketPath = join(mesh().mesh.directory, "run", NAME, "envoy-admin.sock");
  const call = request({ socketPath, path: `/stats?filter=${encodeURIComponent(filter)}` }).end();
  const [answer] = (await once(call, "response")) as [IncomingMessage];
  return await text(answer);
}

const agent = () => mesh().predictor.agent;
const socket = () => join(mesh().mesh.directory, "run", NAME, "inspect.sock");
const filler = join(disk, "filler");

const failures: Readonly<Record<string, Failure>> = {
  "an agent that hangs": { begin: () => agent().signal("SIGSTOP"), end: () => agent().signal("SIGCONT") },
  "an agent that was killed, as for want of memory": {
    begin: async () => await agent().stop("SIGKILL"),
    end: () => agent().start(),
  },
  "no agent and no socket": {
    begin: async () => {
      await agent().stop("SIGKILL");
      rmSync(socket());
    },
    end: () => agent().start(),
  },
};

function fillDisk(): void {
  const block = Buffer.alloc(4096);
  for (let at = 0; at < 4096; at++) {
    try {
      writeFileSync(filler, block, { flag: "a" });
    } catch {
      return;
    }
  }
  throw new Error("the disk does not fill");
}

describe("a policy that is closed", () => {
  test.each(Object.entries(failures))("%s: 503, and back by itself", async (_, { begin, end }) => {
    await expectBack();
    await begin();
    expectRefused(await ask());
    end();
    await expectBack();
  });

  test.skipIf(!mounted)("a full disk: 503, and back by itself once there is room", async () => {
    fillDisk();
    // What fits into the last block is still written.
    const refused = await until("a refusal", 20_000, async () => {
      const asked = await ask();
      return asked.error !== undefined && asked;
    });
    expectRefused(refused);
    rmSync(filler);
    await expectBack();
  });

  test("too few descriptors: answered or 503 within the deadline, and back by itself", async () => {
    const { pid } = agent();
    const open = readdirSync(`/proc/${pid}/fd`).length;
    const limits = execFileSync("prlimit", ["--pid", String(pid), "--nofile", "--output", "SOFT", "--noheadings"]);
    execFileSync("prlimit", ["--pid", String(pid), `--nofile=${open}:`]);
    const asked = await Promise.all(Array.from({ length: 24 }, ask));
    execFileSync("prlimit", ["--pid", String(pid), `--nofile=${String(limits).trim()}:`]);
    for (const one of asked) if (one.error !== undefined) expectRefused(one);
    expect(asked.some(({ error }) => error !== undefined)).toBe(true);
    await expectBack();
  });

  test("the socket vanishes under a living agent: made again, and no request is lost for good", async () => {
    rmSync(socket());
    await expectBack();
    const run = join(mesh().mesh.directory, "run", NAME);
    await until("the socket", 10_000, () => readdirSync(run).includes("inspect.sock"));
    await expectBack();
  });
});

describe("a policy that is open", () => {
  beforeAll(async () => {
    mesh().mesh.writeManifest("audit.yaml", auditFile(`{${settings}, failMode: open}`));
    await until("a request past the open filter", 20_000, async () => {
      await ask();
      return / [1-9]\d*$/.test((await envoyStat("http\\..*ext_authz.open.ok$")).trim());
    });
  });

  test.each(Object.entries(failures))("%s: answered all the same, and counted", async (_, { begin, end }) => {
    await expectBack();
    const missing = () => records().filter(({ type }) => type === "records.missing").length;
    const before = missing();
    await begin();
    const { error, tookMs } = await ask();
    expect(error).toBeUndefined();
    expect(tookMs).toBeLessThan(DEADLINE_MS);
    end();
    await expectBack();
    await until("it is counted", 20_000, () => missing() > before);
  });

  test.skipIf(!mounted)("a full disk: answered all the same, and counted once there is room", async () => {
    const missing = () => records().filter(({ type }) => type === "records.missing").length;
    const before = missing();
    fillDisk();
    for (let asked = 0; asked < 40; asked++) expect((await ask()).error).toBeUndefined();
    rmSync(filler);
    await until("it is counted", 20_000, () => missing() > before);
    await expectBack();
  });
});
