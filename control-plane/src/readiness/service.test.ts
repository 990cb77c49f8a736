import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata, status } from "@grpc/grpc-js";
import { grpcClient } from "@hedgerow/proto";
import { ReportService } from "@hedgerow/proto/hedgerow/agent/v1/report";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { testKey } from "../../test/csr.ts";
import { channelCredentials, peerFiles, testServer, testWorkload } from "../../test/peer.ts";
import { ServerIdentity } from "../ca/server-identity.ts";
import { Readiness } from "./service.ts";
import { GRACE_MS, RESTORED_GRACE_MS } from "./tracker.ts";

const authority = testAuthority("bank.example", Date.now);
const workload = testWorkload(authority, "models/a");

let dir: string;
let open: AsyncDisposableStack;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-ready-"));
  open = new AsyncDisposableStack();
  open.defer(() => rmSync(dir, { recursive: true }));
});
afterEach(() => open.disposeAsync());

async function start({ now = () => performance.now(), wallClock = Date.now } = {}) {
  const readiness = await Readiness.open({ stateDir: dir, now, logger: pino({ enabled: false }), onChange: () => {} });
  open.use(readiness);
  const identity = open.use(new ServerIdentity(authority));
  const services = [readiness.service("bank.example", wallClock)];
  const server = open.use(await testServer(identity.grpcCredentials({ clientCertificate: true }), services));
  const report = (files = workload) => {
    const client = grpcClient(ReportService, server.address, channelCredentials(files.ca, files));
    open.defer(() => client.close());
    const answered = Promise.withResolvers<void>();
    const call = client.report(new Metadata(), {}, (error) => (error ? answered.reject(error) : answered.resolve()));
    answered.promise.catch(() => {});
    return { call, answered: answered.promise };
  };
  return { readiness, report };
}

/** A clock that skips what nobody wants to wait for: all but the end of a grace that begins when it is next looked at. */
function jumpingClock() {
  let skewMs = 0;
  let nextSkewMs = 0;
  return {
    now: () => {
      const nowMs = Date.now() + skewMs;
      skewMs = nextSkewMs;
      return nowMs;
    },
    jumpAfterNextLook: (ms: number) => {
      nextSkewMs = ms;
    },
  };
}

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 10_000 });
const readyOnDisk = () => JSON.parse(readFileSync(join(dir, "ready.json"), "utf8")) as unknown;
const ready = { ready: true, agentVersion: "1.2.3" };

describe("reports", () => {
  test("decide who is ready, and the disk keeps the set", async () => {
    const { readiness, report } = await start();
    const { call } = report();
    call.write({ ready: false, reason: "x".repeat(600), agentVersion: "1.2.3" });
    await eventually(() => expect(readiness.of("models/a")?.reason).toBe("x".repeat(512)));
    expect(readiness.ready.size).toBe(0);
    call.write(ready);
    await eventually(() => expect([...readiness.ready]).toEqual(["models/a"]));
    await eventually(() => expect(readyOnDisk()).toEqual(["models/a"]));
    call.write({ ready: false, reason: "draining" });
    await eventually(() => expect(readyOnDisk()).toEqual([]));
    expect(readiness.ready.size).toBe(0);
  });

  test.each([
    ["reset", (call: { cancel(): void; end(): void }) => call.cancel()],
    ["half-closed", (call: { cancel(): void; end(): void }) => call.end()],
  ])("that are %s leave the workload ready for its grace, then it is not", async (_, stop) => {
    const clock = jumpingClock();
    const { readiness, report } = await start(clock);
    const { call, answered } = report();
    call.write(ready);
    await eventually(() => expect(readiness.ready.size).toBe(1));
    clock.jumpAfterNextLook(GRACE_MS - 1_000);
    stop(call);
    await answered.catch(() => {});
    expect(readiness.ready.size).toBe(1);
    await eventually(() => expect(readyOnDisk()).toEqual([]));
    expect(readiness.ready.size).toBe(0);
  });

  test("end with the certificate that the call began with", async () => {
    const { readiness, report } = await start();
    const { call, answered } = report(testWorkload(authority, "models/a", { lifetimeMs: 2_000 }));
    call.write(ready);
    await eventually(() => expect(readiness.ready.size).toBe(1));
    await expect(answered).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    // Its agent comes with a new one in its own time.
    expect(readiness.ready.size).toBe(1);
  });

  test("are refused on a connection whose certificate has ended since", async () => {
    const { report } = await start({ wallClock: () => Date.now() + 2 * 3_600_000 });
    await expect(report().answered).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  test("that come in a flood end their call, and cost the others nothing", async () => {
    const { readiness, report } = await start();
    const { call, answered } = report();
    for (let count = 0; count < 30; count++) call.write({ ready: count % 2 === 0 });
    await expect(answered).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    report(testWorkload(authority, "models/b")).call.write(ready);
    await eventually(() => expect(readiness.of("models/b")?.ready).toBe(true));
  });

  test("of people and of the control plane are refused", async () => {
    const { readiness, report } = await start();
    const key = testKey();
    const spki = key.publicKey.export({ type: "spki", format: "der" });
    const { chain } = authority.issueAdmin("operator", "ada", spki, 60_000);
    const { call, answered } = report(peerFiles(key, chain, authority.trustBundle));
    call.write(ready);
    await expect(answered).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect(readiness.of("models/a")).toBeUndefined();
  });
});

describe("a restart", () => {
  test("keeps the ready set until those who do not report again have had their time", async () => {
    writeFileSync(join(dir, "ready.json"), '["models/a","models/b"]', { mode: 0o600 });
    const clock = jumpingClock();
    clock.jumpAfterNextLook(RESTORED_GRACE_MS - 1_000);
    const { readiness, report } = await start(clock);
    expect([...readiness.ready]).toEqual(["models/a", "models/b"]);
    report().call.write(ready);
    await eventually(() => expect(readyOnDisk()).toEqual(["models/a"]));
    expect(readiness.of("models/a")?.agentVersion).toBe("1.2.3");
  });

  test.each([
    ["is damaged", '["models/a"', 0o600],
    ["others may write", '["models/a"]', 0o666],
  ])("with a set that %s starts with nobody ready", async (_, text, mode) => {
    writeFileSync(join(dir, "ready.json"), text);
    chmodSync(join(dir, "ready.json"), mode);
    expect((await start()).readiness.ready.size).toBe(0);
  });
});
