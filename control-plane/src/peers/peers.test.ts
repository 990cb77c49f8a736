import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { checkpointDigest, claimsOfCheckpoint } from "@hedgerow/ledger";
import { grpcClient } from "@hedgerow/proto";
import {
  PeerService as PeerServiceSchema,
  type WatchProxiesResponseSchema,
} from "@hedgerow/proto/hedgerow/peer/v1/peer";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { testKey } from "../../test/csr.ts";
import { channelCredentials, peerFiles, testServer, testWorkload } from "../../test/peer.ts";
import { TestLedger } from "../../test/test-ledger.ts";
import { until } from "../../test/until.ts";
import { ServerIdentity } from "../ca/server-identity.ts";
import type { Sent } from "../witness/judge.ts";
import { countersigner } from "../witness/own-witness.ts";
import { WitnessStore } from "../witness/store.ts";
import { peerCredentials } from "./credentials.ts";
import { Peers } from "./peers.ts";
import { PeerService } from "./service.ts";

const authority = testAuthority("bank.example", Date.now);
const logger = pino({ enabled: false });
let open: AsyncDisposableStack;
let identity: ServerIdentity;
let nowMs: number;
beforeEach(() => {
  open = new AsyncDisposableStack();
  identity = open.use(new ServerIdentity(authority));
  nowMs = 0;
});
afterEach(() => open.disposeAsync());

type Report = MessageInitShape<typeof WatchProxiesResponseSchema>;

async function replica(name: string, report: () => Report = () => ({ replica: name, connected: [`models/${name}`] })) {
  const witness = await newWitness();
  const service = new PeerService({ trustDomain: "bank.example", report, witness, now: Date.now, logger });
  const server = await testServer(identity.grpcCredentials({ clientCertificate: true }), [service.service]);
  open.use(server);
  open.use(service);
  return { service, witness, address: server.address, stop: () => server[Symbol.asyncDispose]() };
}

async function newWitness(): Promise<WitnessStore> {
  const stateDir = mkdtempSync(join(tmpdir(), "hedgerow-peers-"));
  open.defer(() => rmSync(stateDir, { recursive: true }));
  const countersign = countersigner(authority);
  return open.use(await WitnessStore.open({ stateDir, countersign, now: Date.now, logger }));
}

function peers(addresses: () => readonly string[], witness?: WitnessStore) {
  const changes = { count: 0 };
  const all = open.use(
    new Peers({
      addresses: () => new Set(addresses()),
      credentials: () => peerCredentials(identity.context, "bank.example", Date.now),
      monotonicMs: () => nowMs,
      onChange: () => {
        changes.count += 1;
      },
      onLedgers: async (ledgers) => await witness?.learn(ledgers),
      logger,
    }),
  );
  all.update();
  return { all, changes };
}
const names = (all: Peers) => all.reports.map(({ replica: name }) => name).sort();

describe("the other replicas", () => {
  test("are heard at once, and again after each change", async () => {
    const a = await replica("a");
    let connected = ["models/1"];
    const b = await replica("b", () => ({ replica: "b", connected }));
    const { all, changes } = peers(() => [a.address, b.address]);
    await until("both", () => (names(all).length === 2 ? true : undefined));
    expect(names(all)).toEqual(["a", "b"]);
    connected = ["models/1", "models/2"];
    const before = changes.count;
    b.service.schedule();
    await until("the change", () =>
      all.reports.some((report) => report.connected.has("models/2")) ? true : undefined,
    );
    expect(changes.count).toBeGreaterThan(before);
  });

  test("changes that come fast are sent four times a second at most, the last one always", async () => {
    let made = 0;
    const a = await replica("a", () => ({ replica: "a", connected: [`models/${++made}`] }));
    const { all } = peers(() => [a.address]);
    await until("the first", () => (all.reports.length === 1 ? true : undefined));
    const startMs = performance.now();
    while (performance.now() - startMs < 1_000) {
      a.service.schedule();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(made).toBeLessThanOrEqual(6);
    await until("the last", () => (all.reports[0]?.connected.has(`models/${made}`) === true ? true : undefined));
  });

  test("whoever falls silent is forgotten at once, and its proxies are lost 15 s later; then it is called again", async () => {
    const a = await replica("a");
    const { all } = peers(() => [a.address]);
    await until("its report", () => (names(all).length === 1 ? true : undefined));
    a.service[Symbol.dispose]();
    await until("silence", () => (names(all).length === 0 ? true : undefined));
    expect([...all.lost]).toEqual([]);
    nowMs += 15_000;
    expect([...all.lost]).toEqual(["models/a"]);
  });

  test("a proxy that is seen again elsewhere is not lost", async () => {
    let connected: string[] = [];
    const a = await replica("a", () => ({ replica: "a", connected: ["models/1"] }));
    const b = await replica("b", () => ({ replica: "b", connected }));
    let addresses = [a.address, b.address];
    const { all } = peers(() => addresses);
    await until("both", () => (names(all).length === 2 ? true : undefined));
    addresses = [b.address];
    all.update();
    expect(names(all)).toEqual(["b"]);
    nowMs += 15_000;
    expect([...all.lost]).toEqual(["models/1"]);
    connected = ["models/1"];
    b.service.schedule();
    await until("its return", () => (all.lost.size === 0 ? true : undefined));
  });

  test("a replica that comes back under the same address is heard again", async () => {
    const a = await replica("a");
    const port = a.address;
    const { all } = peers(() => [port]);
    await until("its report", () => (names(all).length === 1 ? true : undefined));
    await a.stop();
    await until("silence", () => (names(all).length === 0 ? true : undefined));
    const again = new PeerService({
      trustDomain: "bank.example",
      report: () => ({ replica: "a2" }),
      witness: a.witness,
      now: Date.now,
      logger,
    });
    const server = new Server();
    server.addService(...again.service);
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(port, identity.grpcCredentials({ clientCertificate: true }), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    open.defer(() => server.forceShutdown());
    open.use(again);
    await until("its return", () => (names(all).length === 1 ? true : undefined));
    expect(names(all)).toEqual(["a2"]);
  });

  test("a server that is not the control plane is told nothing and heard by nobody", async () => {
    const impostor = testWorkload(authority, "models/a");
    const service = new PeerService({
      trustDomain: "bank.example",
      report: () => ({ replica: "x", connected: [] }),
      witness: await newWitness(),
      now: Date.now,
      logger,
    });
    const server = open.use(
      await testServer(
        ServerCredentials.createSsl(
          Buffer.from(impostor.ca),
          [{ private_key: Buffer.from(impostor.key), cert_chain: Buffer.from(impostor.cert) }],
          true,
        ),
        [service.service],
      ),
    );
    const { all } = peers(() => [server.address]);
    const honest = await replica("b");
    const { all: others } = peers(() => [honest.address]);
    await until("the honest", () => (names(others).length === 1 ? true : undefined));
    expect(names(all)).toEqual([]);
  });
});

describe("what replicas witnessed", () => {
  const node = { iss: "spiffe://bank.example/ns/models/sa/digits", node: "models/a" };
  function sent(compact: string): Sent {
    const claims = claimsOfCheckpoint(compact);
    if (claims === undefined) throw new Error("no checkpoint");
    const { iss: spiffeId, node: nodeId } = claims;
    return { nodeId, spiffeId, policy: "models/audit", claims, digest: checkpointDigest(compact), compact };
  }
  const seqOf = async (witness: WitnessStore, { id }: TestLedger) =>
    claimsOfCheckpoint((await witness.get(id))?.checkpoint ?? "")?.seq;

  test("is known to each of them, what was before and what comes, and outlives the one that saw it", async () => {
    const [a, b] = [await replica("a"), await replica("b")];
    const ledgers = Array.from({ length: 450 }, () => new TestLedger(node));
    await Promise.all(ledgers.map((ledger) => a.witness.take(sent(ledger.checkpoint(1)))));
    peers(() => [a.address], b.witness);
    peers(() => [b.address], a.witness);
    await until("all", () => (b.witness.size === 450 ? true : undefined));
    const [first, second] = ledgers;
    if (first === undefined || second === undefined) throw new Error("no ledgers");
    // It moved to the other replica, and is judged by what the first one saw.
    expect(await b.witness.take(sent(first.checkpoint(0)))).toMatchObject({ kind: "contradicts" });
    await b.witness.take(sent(new TestLedger(node).checkpoint(1)));
    await a.witness.take(sent(second.checkpoint(5)));
    await until("the change", async () => ((await seqOf(b.witness, second)) === 5 ? true : undefined));
    await b.witness.take(sent(second.checkpoint(6)));
    await until("the way back", async () => ((await seqOf(a.witness, second)) === 6 ? true : undefined));
    await until("the new one", () => (a.witness.size === 451 ? true : undefined));
  });

  test("is not undone by who knows less, nor by a workload that claims another's ledger", async () => {
    const [here, there] = [await newWitness(), await newWitness()];
    const ledger = new TestLedger(node);
    await here.take(sent(ledger.checkpoint(1)));
    await there.learn([...(await here.list("", 10)).ledgers]);
    await here.take(sent(ledger.checkpoint(9, { closed: true })));
    await here.learn([...(await there.list("", 10)).ledgers]);
    expect(await seqOf(here, ledger)).toBe(9);
    const thief = new TestLedger({ ...node, node: "models/b" });
    const elsewhere = await newWitness();
    await elsewhere.take(sent(thief.checkpoint(1_000_000, { ledger: ledger.id })));
    await here.learn([...(await elsewhere.list("", 10)).ledgers]);
    expect(await seqOf(here, ledger)).toBe(9);
    await elsewhere.learn([...(await here.list("", 10)).ledgers]);
    expect(await seqOf(elsewhere, ledger)).toBe(9);
  });
});

test.each([
  ["a workload", () => testWorkload(authority, "models/a")],
  [
    "a person",
    () => {
      const key = testKey();
      const spki = key.publicKey.export({ type: "spki", format: "der" });
      return peerFiles(key, authority.issueAdmin("operator", "ada", spki, 60_000).chain, authority.trustBundle);
    },
  ],
])("%s may not watch", async (_, files) => {
  const a = await replica("a");
  const who = files();
  const client = grpcClient(PeerServiceSchema, a.address, channelCredentials(who.ca, who));
  open.defer(() => client.close());
  for (const call of [client.watchProxies({}), client.watchLedgers({})]) {
    const error = await new Promise<{ code: status }>((resolve) => call.on("error", resolve));
    expect(error.code).toBe(status.PERMISSION_DENIED);
  }
});
