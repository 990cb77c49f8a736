import type { MessageInitShape } from "@bufbuild/protobuf";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
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
import { until } from "../../test/until.ts";
import { ServerIdentity } from "../ca/server-identity.ts";
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
  const service = new PeerService({ trustDomain: "bank.example", report, now: Date.now, logger });
  const server = await testServer(identity.grpcCredentials({ clientCertificate: true }), [service.service]);
  open.use(server);
  open.use(service);
  return { service, address: server.address, stop: () => server[Symbol.asyncDispose]() };
}

function peers(addresses: () => readonly string[]) {
  const changes = { count: 0 };
  const all = open.use(
    new Peers({
      addresses: () => new Set(addresses()),
      credentials: () => peerCredentials(identity.context, "bank.example", Date.now),
      monotonicMs: () => nowMs,
      onChange: () => {
        changes.count += 1;
      },
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
  const error = await new Promise<{ code: status }>((resolve) => client.watchProxies({}).on("error", resolve));
  expect(error.code).toBe(status.PERMISSION_DENIED);
});
