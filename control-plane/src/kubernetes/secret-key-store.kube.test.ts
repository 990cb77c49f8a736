import { generateKeyPairSync } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startApiServer, type TestApiServer, type Wire, wireTo } from "../../test/api-server.ts";
import { until } from "../../test/until.ts";
import type { KeyMaterial } from "../ca/key-material.ts";
import { KubernetesClient } from "./client.ts";
import { CA_SECRET, SecretKeyStore, type SecretKeyStoreDeps } from "./secret-key-store.ts";

let api: TestApiServer;
let open: AsyncDisposableStack;
let namespace: string;
let number = 0;
let lines: string[];
beforeAll(async () => {
  api = await startApiServer();
}, 120_000);
afterAll(() => api[Symbol.asyncDispose](), 60_000);
beforeEach(async () => {
  namespace = `system-${number++}`;
  lines = [];
  open = new AsyncDisposableStack();
  await api.kubectl(["create", "namespace", namespace]);
  return () => open.disposeAsync();
});

const logger = pino({ level: "warn" }, { write: (line) => void lines.push(String(JSON.parse(line).msg)) });

function store({ othersServe = () => false }: Partial<SecretKeyStoreDeps> = {}): SecretKeyStore {
  const stop = new AbortController();
  open.defer(() => stop.abort());
  return new SecretKeyStore({ client: api.client, namespace, now: Date.now, othersServe, logger, signal: stop.signal });
}
const path = () => `/api/v1/namespaces/${namespace}/secrets/${CA_SECRET}`;
const root = ({ root: { fingerprint256 } }: KeyMaterial) => fingerprint256;
const put = (pem: string) =>
  api.kubectl(["-n", namespace, "create", "secret", "generic", CA_SECRET, `--from-literal=ca.pem=${pem}`]);

test("empty namespace: there is none", async () => {
  expect(await store().read()).toBeUndefined();
});

test("replicas that create it at the same instant end with one, again and again", async () => {
  for (let round = 0; round < 10; round++) {
    const materials = await Promise.all([1, 2, 3, 4].map(() => store().create("bank.example")));
    expect(new Set(materials.map(root)).size).toBe(1);
    const after = await store().read();
    expect(after && root(after)).toBe(materials[0] && root(materials[0]));
    await api.client.request("DELETE", path());
  }
  expect(lines).toEqual([]);
});

test("what is there is taken, whatever its trust domain; nobody can change it in place", async () => {
  const first = await store().create("bank.example");
  const second = await store().create("other.example");
  expect([second.trustDomain, root(second)]).toEqual(["bank.example", root(first)]);
  const patch = api.client.request("PATCH", path(), {
    body: { data: { "ca.pem": "eA==" } },
    contentType: "application/merge-patch+json",
  });
  await expect(patch).rejects.toMatchObject({ status: 422 });
});

test.each([
  ["no PEM", "a key"],
  ["nothing", ""],
  [
    "a key alone",
    generateKeyPairSync("ec", { namedCurve: "prime256v1" })
      .privateKey.export({ type: "pkcs8", format: "pem" })
      .toString(),
  ],
])("a Secret with %s is refused in plain words, and stays", async (_, pem) => {
  await put(pem);
  const corrupt = { code: "CA_KEY_CORRUPT", message: expect.stringContaining(`Secret ${namespace}/${CA_SECRET}`) };
  await expect(store().read()).rejects.toMatchObject(corrupt);
  await expect(store().create("bank.example")).rejects.toMatchObject(corrupt);
});

test("deleted while in use: written back as it was", { timeout: 40_000 }, async () => {
  const keeper = store();
  const material = await keeper.create("bank.example");
  void keeper.keep(material);
  await api.client.request("DELETE", path());
  const newcomer = store({ othersServe: () => true });
  // One that starts now waits for the key in use, and makes no second one.
  expect(root(await newcomer.create("bank.example"))).toBe(root(material));
  expect(lines).toContain("CA key was deleted: serving with the copy in memory, writing it back");
});

test("replaced while in use: it goes on with its own, and says so", { timeout: 40_000 }, async () => {
  const keeper = store();
  const material = await keeper.create("bank.example");
  await api.client.request("DELETE", path());
  const other = await store().create("bank.example");
  expect(root(other)).not.toBe(root(material));
  void keeper.keep(material);
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (lines.some((line) => line.startsWith("CA key was replaced"))) resolve(clearInterval(look));
    }, 50);
  });
  expect(root((await store().read()) ?? material)).toBe(root(other));
});

test("waits while the API server can't be asked", { timeout: 40_000 }, async () => {
  const wire: Wire = open.use(await wireTo(api.access));
  await wire[Symbol.asyncDispose]();
  const gone = open.use(new KubernetesClient(wire.access, { logger: pino({ enabled: false }) }));
  const stop = new AbortController();
  const waiting = new SecretKeyStore({
    client: gone,
    namespace,
    now: Date.now,
    othersServe: () => false,
    logger,
    signal: stop.signal,
  }).read();
  await until("a failure", () => (lines.includes("Failed to read the CA key") ? true : undefined));
  stop.abort();
  await expect(waiting).rejects.toThrow(/abort/);
});
