import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { checkpointDigest, readWitness } from "@hedgerow/ledger";
import { grpcClient } from "@hedgerow/proto";
import { type CountersignResponse, WitnessService } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { testKey } from "../../test/csr.ts";
import {
  channelCredentials,
  type PeerFiles,
  peerFiles,
  testServer,
  testWorkload,
  tlsConnect,
} from "../../test/peer.ts";
import { TestLedger } from "../../test/test-ledger.ts";
import type { Authority } from "../ca/authority.ts";
import { ServerIdentity } from "../ca/server-identity.ts";
import { countersigner } from "./own-witness.ts";
import { witnessService } from "./service.ts";
import { WitnessStore } from "./store.ts";

const logger = pino({ enabled: false });
const NODE = { iss: "spiffe://bank.example/ns/models/sa/digits", node: "models/a" };
let dir: string;
let open: AsyncDisposableStack;
let authority: Authority;
let address: string;
let outcomes: string[];
let certified: string[];
let skewMs: number;
const now = () => Date.now() + skewMs;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-witness-"));
  open = new AsyncDisposableStack();
  open.defer(() => rmSync(dir, { recursive: true }));
  skewMs = 0;
  outcomes = [];
  certified = [];
  authority = testAuthority("bank.example", now);
  const store = open.use(
    await WitnessStore.open({ stateDir: dir, countersign: countersigner(authority), now, logger }),
  );
  const service = witnessService({
    authority,
    store,
    certified: async ({ spiffeId }, nodeId) => void certified.push(`${spiffeId} ${nodeId}`),
    now,
    logger,
    counted: (method, outcome) => outcomes.push(`${method} ${outcome}`),
  });
  const identity = open.use(new ServerIdentity(authority));
  ({ address } = open.use(await testServer(identity.grpcCredentials({ clientCertificate: true }), [service])));
});
afterEach(() => open.disposeAsync());

function witnessOf(files: PeerFiles) {
  const client = grpcClient(WitnessService, address, channelCredentials(files.ca, files));
  open.defer(() => client.close());
  return {
    certify: async (ledger: { readonly publicKey: Uint8Array; chain?: readonly Uint8Array[] }) => {
      const { promise, resolve, reject } = settle<{ certificateChain: Uint8Array[]; notAfter?: unknown }>();
      client.certifyKey({ publicKey: ledger.publicKey }, new Metadata(), {}, (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
      const answer = await promise;
      ledger.chain = answer.certificateChain;
      return answer;
    },
    countersign: (checkpoint: string, policy = "models/audit") => {
      const { promise, resolve, reject } = settle<CountersignResponse>();
      client.countersign({ checkpoint, policy }, new Metadata(), {}, (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
      return promise;
    },
  };
}

function settle<Answer>() {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  return {
    promise,
    resolve: (answer: Answer | undefined) => (answer === undefined ? reject(new Error("no answer")) : resolve(answer)),
    reject: (error: ServiceError) => reject(error),
  };
}

async function certifiedLedger(witness = witnessOf(testWorkload(authority, NODE.node)), claims = NODE) {
  const ledger = new TestLedger(claims);
  await witness.certify(ledger);
  return { witness, ledger };
}
const refused = (code: status, details: RegExp) => ({ code, details: expect.stringMatching(details) });

test("a key is certified for the workload that asks, and its checkpoints are countersigned by the root", async () => {
  const { witness, ledger } = await certifiedLedger();
  expect(certified).toEqual([`${NODE.iss} models/a`]);
  const compact = ledger.checkpoint(3);
  const { witness: jws, last } = await witness.countersign(compact);
  expect(last).toBe("");
  const read = readWitness(jws, authority.trustBundle);
  expect(read.ok && read.value).toMatchObject({
    iss: "spiffe://bank.example",
    ledger: ledger.id,
    seq: 3,
    checkpoint: checkpointDigest(compact),
  });
  expect(outcomes).toEqual(["certify_key signed", "countersign signed"]);
});

describe("the certificate of a key", () => {
  test("lasts 90 days, names the workload, and opens no connection", async () => {
    const { ledger, witness } = await certifiedLedger();
    const { certificateChain, notAfter } = await witness.certify(ledger);
    const leaf = new X509Certificate(certificateChain[0] ?? new Uint8Array());
    expect(leaf.subjectAltName).toBe(
      "URI:spiffe://bank.example/ns/models/sa/digits, DNS:a.models.instance.hedgerow.internal",
    );
    expect(timestampMs(notAfter as never)).toBe(leaf.validToDate.getTime());
    // As if the key were one that TLS takes: what refuses it is what the certificate is for.
    const key = testKey();
    const spki = key.publicKey.export({ type: "spki", format: "der" });
    const identity = { nodeId: "models/a", serviceAccount: "digits", region: undefined };
    const { chain } = authority.issueWorkloadCheckpointKey(identity, spki);
    await expect(tlsConnect(address, peerFiles(key, chain, authority.trustBundle))).rejects.toThrow(
      /closed the connection|alert/,
    );
    (await tlsConnect(address, testWorkload(authority, "models/a"))).destroy();
  });

  test.each([
    ["no key", Buffer.alloc(0)],
    ["a key for TLS", testKey().publicKey.export({ type: "spki", format: "der" })],
    ["more than a key", Buffer.concat([new TestLedger(NODE).publicKey, Buffer.of(0)])],
  ])("is not given for %s", async (_, publicKey) => {
    const witness = witnessOf(testWorkload(authority, NODE.node));
    await expect(witness.certify({ publicKey })).rejects.toMatchObject(refused(status.INVALID_ARGUMENT, /Ed25519/));
  });

  test("is limited for each workload", async () => {
    const { witness, ledger } = await certifiedLedger();
    const asked = await Promise.allSettled(Array.from({ length: 80 }, () => witness.certify(ledger)));
    const limited = asked.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    expect(limited.length).toBeGreaterThan(10);
    expect(limited[0]).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    await certifiedLedger(witnessOf(testWorkload(authority, "models/b")), { ...NODE, node: "models/b" });
  });
});

describe("a checkpoint is not countersigned", () => {
  test("that is another node's", async () => {
    const { ledger } = await certifiedLedger();
    const other = witnessOf(testWorkload(authority, "models/b"));
    await expect(other.countersign(ledger.checkpoint(1))).rejects.toMatchObject(
      refused(status.PERMISSION_DENIED, /^checkpoint is of models\/a, you are models\/b$/),
    );
  });

  test("of a ledger that another node began", async () => {
    const { ledger, witness } = await certifiedLedger();
    await witness.countersign(ledger.checkpoint(1));
    const claims = { ...NODE, node: "models/b" };
    const other = await certifiedLedger(witnessOf(testWorkload(authority, "models/b")), claims);
    const stolen = other.ledger.checkpoint(2, { ledger: ledger.id });
    await expect(other.witness.countersign(stolen)).rejects.toMatchObject(
      refused(status.PERMISSION_DENIED, /another workload's/),
    );
    expect(outcomes.at(-1)).toBe("countersign contradicted");
  });

  test("by a key that an SVID, another authority or nobody certified", async () => {
    const { ledger, witness } = await certifiedLedger();
    const identity = { nodeId: "models/a", serviceAccount: "digits", region: undefined };
    const chains: [RegExp, readonly Uint8Array[]][] = [
      [/not for checkpoints/, authority.issueWorkload(identity, ledger.publicKey, 60_000).chain],
      [/authority/, testAuthority("bank.example", now).issueWorkloadCheckpointKey(identity, ledger.publicKey).chain],
      [/signature/, authority.issueWorkloadCheckpointKey(identity, new TestLedger(NODE).publicKey).chain],
      [/one certificate/, []],
      [/one certificate/, [...ledger.chain, ...authority.trustBundle]],
      [/can't be read/, [Buffer.from("x")]],
    ];
    for (const [why, chain] of chains) {
      ledger.chain = chain;
      await expect(witness.countersign(ledger.checkpoint(1))).rejects.toMatchObject(
        refused(status.INVALID_ARGUMENT, why),
      );
    }
  });

  test("after the certificate of its key ended", async () => {
    const lasting = testWorkload(authority, NODE.node, { lifetimeMs: 365 * 24 * 3_600_000 });
    const { ledger, witness } = await certifiedLedger(witnessOf(lasting));
    skewMs = 91 * 24 * 3_600_000;
    await expect(witness.countersign(ledger.checkpoint(1))).rejects.toMatchObject(
      refused(status.INVALID_ARGUMENT, /expired/),
    );
  });

  test.each([
    ["nothing", () => "", /no compact JWS/],
    ["other bytes", () => "a.b.c", /no compact JWS/],
    ["too much", () => "a".repeat(9_000), /more than 8192 bytes/],
    ["a changed claim", (jws: string) => changed(jws, 1), /./],
    ["a changed signature", (jws: string) => changed(jws, 2), /signature/],
    ["a seq of no number", (_: string, ledger: TestLedger) => ledger.checkpoint(1.5), /claims are malformed/],
    [
      "a head of no hash",
      (_: string, ledger: TestLedger) => ledger.checkpoint(1, { head: "x" }),
      /claims are malformed/,
    ],
    [
      "a ledger of no UUID",
      (_: string, ledger: TestLedger) => ledger.checkpoint(1, { ledger: "x" }),
      /claims are malformed/,
    ],
    ["the root's statement", () => authority.signClaims("hedgerow-checkpoint+jwt", {}), /by EdDSA/],
  ])("that is %s", async (_, make, why) => {
    const { ledger, witness } = await certifiedLedger();
    const compact = make(ledger.checkpoint(1), ledger);
    await expect(witness.countersign(compact)).rejects.toMatchObject(refused(status.INVALID_ARGUMENT, why));
  });

  test.each(["", "audit", "models/audit/x", "Models/audit", `models/${"a".repeat(300)}`])(
    "of the policy %j",
    async (policy) => {
      const { ledger, witness } = await certifiedLedger();
      await expect(witness.countersign(ledger.checkpoint(1), policy)).rejects.toMatchObject(
        refused(status.INVALID_ARGUMENT, /NAMESPACE\/NAME/),
      );
    },
  );

  test("of ever new ledgers", async () => {
    const { witness, ledger } = await certifiedLedger();
    const asked = await Promise.allSettled(
      Array.from({ length: 80 }, (_, index) => {
        const other = new TestLedger(NODE);
        return witness.countersign(ledger.checkpoint(index, { ledger: other.id }));
      }),
    );
    const limited = asked.filter((one) => one.status === "rejected");
    expect(limited.length).toBeGreaterThan(10);
    expect(limited[0]).toMatchObject({ reason: { code: status.RESOURCE_EXHAUSTED } });
  });
});

test.each([
  ["a person", () => authority.issueAdmin("operator", "ada", spkiOf(personKey), 60_000).chain],
  ["the control plane itself", () => authority.issueControlPlane(spkiOf(personKey), 60_000).chain],
])("%s has no ledger here", async (_, chain) => {
  const witness = witnessOf(peerFiles(personKey, chain(), authority.trustBundle));
  const { publicKey } = new TestLedger(NODE);
  await expect(witness.certify({ publicKey })).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  await expect(witness.countersign("a.b.c")).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
});

const personKey = testKey();
const spkiOf = (key: typeof personKey) => key.publicKey.export({ type: "spki", format: "der" });

/** With another character in the middle of that part. */
function changed(jws: string, index: number): string {
  const parts = jws.split(".");
  const part = parts[index] ?? "";
  const middle = Math.floor(part.length / 2);
  parts[index] = part.slice(0, middle) + (part[middle] === "A" ? "B" : "A") + part.slice(middle + 1);
  return parts.join(".");
}
