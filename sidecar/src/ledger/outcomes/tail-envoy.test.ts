// A real Envoy writes the log: what rotation relies on is Envoy's own way of opening it anew, and of gathering lines.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordBody } from "@hedgerow/ledger";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { envoyPath } from "../../../../scripts/envoy-path.js";
import { until } from "../../../test/until.ts";
import { freePort } from "../../../test/workload.ts";
import { EnvoyAdmin } from "../../envoy/admin.ts";
import { lineKey } from "./outcome-line.ts";
import { type OutcomeLedger, OutcomeTail } from "./tail.ts";

const LOG = "envoy-outcomes.log";
const HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

let directory: string;
let port: number;
let envoy: ChildProcess;

/** Answers 404 to everything, and logs it as a refusal of Envoy's own. */
function bootstrap() {
  const format = {
    time: "%START_TIME%",
    port: String(port),
    request_id: "%REQ(X-REQUEST-ID)%",
    method: "%REQ(:METHOD)%",
    path: "%PATH(NQ:PATH)%",
    status: "%RESPONSE_CODE%",
    details: "%RESPONSE_CODE_DETAILS%",
    flags: "%RESPONSE_FLAGS%",
    decision: "%REQ(X-DECISION)%",
    upstream: "%UPSTREAM_HOST%",
  };
  const log = { "@type": FILE_LOG, path: LOG, log_format: { json_format: format, omit_empty_values: true } };
  const manager = {
    "@type": HCM,
    stat_prefix: "test",
    route_config: { virtual_hosts: [{ name: "none", domains: ["*"] }] },
    http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": ROUTER } }],
    access_log: [{ name: "envoy.access_loggers.file", typed_config: log }],
  };
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  return {
    admin: { address: { pipe: { path: join(directory, "admin.sock") } } },
    static_resources: { listeners: [{ name: "in", address, filter_chains: [{ filters }] }] },
  };
}

async function startEnvoy(): Promise<void> {
  const flags = ["--concurrency", "2", "--disable-hot-restart", "--file-flush-interval-msec", "500", "-l", "off"];
  envoy = spawn(envoyPath(), ["-c", join(directory, "bootstrap.json"), ...flags], { cwd: directory, stdio: "ignore" });
  const admin = new EnvoyAdmin(join(directory, "admin.sock"));
  await until("Envoy is live", () => admin.isLive().catch(() => false));
}

async function killEnvoy(): Promise<void> {
  envoy.kill("SIGKILL");
  if (envoy.exitCode === null && envoy.signalCode === null) await once(envoy, "exit");
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-tail-envoy-"));
  port = await freePort();
  writeFileSync(join(directory, "bootstrap.json"), JSON.stringify(bootstrap()));
  await startEnvoy();
});
afterEach(async () => {
  await killEnvoy();
  rmSync(directory, { recursive: true });
});

const agent = new Agent({ keepAlive: true, maxSockets: 8 });

async function ask(path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  request({ host: "127.0.0.1", port, path, agent }, (answer) => {
    answer.resume().on("end", () => resolve(undefined));
  })
    .on("error", reject)
    .end();
  await promise;
}

class Ledger implements OutcomeLedger {
  readonly records: RecordBody[] = [];
  #known = new Set<string>();

  append(body: RecordBody): Promise<void> {
    this.records.push(body);
    return Promise.resolve();
  }

  reopen(): void {
    this.#known = new Set(this.records.flatMap((body) => lineKey(body) ?? []));
  }

  hasLine(key: string): boolean {
    return this.#known.delete(key);
  }

  missed(): void {
    throw new Error("nothing was missed");
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  envoyEnded(): Promise<void> {
    return Promise.resolve();
  }

  get paths(): readonly string[] {
    return this.records.map((body) => (body.type === "refusal" ? body.path : body.type));
  }
}

function follow(ledger: Ledger, rotateBytes: number): OutcomeTail {
  const tail = new OutcomeTail({
    path: join(directory, LOG),
    positionPath: join(directory, "position.json"),
    reopen: async () => await new EnvoyAdmin(join(directory, "admin.sock")).reopenLogs(),
    ledgers: { find: () => ledger, all: () => [ledger] },
    now: Date.now,
    logger: pino({ level: "silent" }),
    rotateBytes,
  });
  tail.start();
  return tail;
}

test("each request to Envoy is recorded once, while the log is rotated again and again and agents come and go", async () => {
  const ledger = new Ledger();
  const asked: string[] = [];
  let tail = follow(ledger, 20_000);
  for (let round = 0; round < 8; round += 1) {
    const paths = Array.from({ length: 200 }, (_, index) => `/${round}/${index}`);
    asked.push(...paths);
    await Promise.all(paths.map(ask));
    if (round % 3 === 2) {
      await tail.stop();
      ledger.reopen();
      tail = follow(ledger, 20_000);
    }
    await until("recorded", () => ledger.paths.length === asked.length);
  }
  await until("rotated", () => !existsSync(join(directory, `${LOG}.1`)));
  await tail.stop();
  expect(ledger.paths.toSorted()).toEqual(asked.toSorted());
  expect(ledger.records[0]).toMatchObject({
    type: "refusal",
    port,
    method: "GET",
    status: 404,
    details: "route_not_found",
  });
  expect(readdirSync(directory).filter((name) => name.startsWith(LOG))).toEqual([LOG]);
  // Of 250,000 bytes that were written.
  expect(statSync(join(directory, LOG)).size).toBeLessThan(60_000);
}, 60_000);

test("a log that was being rotated when Envoy was killed is read to its end, then the next Envoy's", async () => {
  const ledger = new Ledger();
  await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`/a/${index}`)));
  const first = follow(ledger, 1_000_000);
  await until("recorded", () => ledger.paths.length === 100);
  await first.stop();
  await killEnvoy();
  // Over the limit now: it is renamed, and nobody is there to open another.
  const second = follow(ledger, 1_000);
  await until("renamed", () => existsSync(join(directory, `${LOG}.1`)));
  await startEnvoy();
  await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`/b/${index}`)));
  await until("recorded", () => ledger.paths.length === 200);
  await second.stop();
  expect(new Set(ledger.paths).size).toBe(200);
}, 60_000);
