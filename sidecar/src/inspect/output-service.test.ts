import { createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { DECISION_HEADER, grpcClient, INSPECT_METADATA } from "@hedgerow/proto";
import {
  ExternalProcessor,
  type ProcessingRequestSchema,
} from "@hedgerow/proto/envoy/service/ext_proc/v3/external_processor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../test/until.ts";
import { OutputDigests } from "../ledger/outcomes/output-digests.ts";
import { OutputService } from "./output-service.ts";

type Message = MessageInitShape<typeof ProcessingRequestSchema>;

const directory = mkdtempSync(join(tmpdir(), "hedgerow-output-"));
const address = `unix:${join(directory, "agent.sock")}`;
const [one, two] = [
  { digestKey: randomBytes(32), outputs: new OutputDigests({ waitMs: 60_000 }) },
  { digestKey: randomBytes(32), outputs: new OutputDigests({ waitMs: 60_000 }) },
];
const server = new Server();
let begun = 0;
const ledgers = () => {
  begun += 1;
  return [one, two];
};
const client = grpcClient(ExternalProcessor, address, credentials.createInsecure());

beforeAll(async () => {
  server.addService(...new OutputService(ledgers).definition());
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
    if (error === null) resolve(undefined);
    else reject(error);
  });
  await promise;
});
afterAll(() => {
  client.close();
  server.forceShutdown();
  rmSync(directory, { recursive: true });
});

const about = (id: string) => ({
  metadataContext: { filterMetadata: { [INSPECT_METADATA]: { [DECISION_HEADER]: id } } },
});
const begin = (id: string, endOfStream = false): Message => ({
  ...about(id),
  request: { case: "responseHeaders", value: { endOfStream } },
});
const part = (id: string, body: string, endOfStream = false): Message => ({
  ...about(id),
  request: { case: "responseBody", value: { body: Buffer.from(body), endOfStream } },
});
const trailers = (id: string): Message => ({ ...about(id), request: { case: "responseTrailers", value: {} } });

/** Envoy as it shows one answer. */
function show(...messages: readonly Message[]) {
  const call = client.process();
  const ended = new Promise<void>((done) => call.on("end", done).on("error", () => done()));
  call.resume();
  for (const message of messages) call.write(message);
  return { call, ended };
}

test.each([
  ["in one part", [begin("A"), part("A", "hello", true)], "hello"],
  ["in parts", [begin("A"), part("A", "hel"), part("A", "lo"), part("A", "", true)], "hello"],
  ["with trailers", [begin("A"), part("A", "hello"), trailers("A")], "hello"],
  ["without a body", [begin("A", true)], ""],
])("an answer is digested %s, under the key of its ledger, and the stream is ended", async (_, messages, body) => {
  two.outputs.expect("A");
  await show(...messages).ended;
  expect(await two.outputs.of("A")).toBe(createHmac("sha256", two.digestKey).update(body).digest("base64url"));
  two.outputs.forget("A");
});

test.each<[string, Message[]]>([
  ["nobody asked for", [begin("B")]],
  ["of no decision", [{ request: { case: "responseHeaders", value: {} } }]],
  ["that began before", [part("C", "lo")]],
])("a stream is ended at once for an answer %s", async (_, messages) => {
  one.outputs.expect("C");
  await show(...messages).ended;
  expect(one.outputs.begin("C")).toBe(true);
  one.outputs.forget("C");
});

test("an answer that breaks off has no digest", async () => {
  one.outputs.expect("D");
  const before = begun;
  const { call, ended } = show(begin("D"), part("D", "hel"));
  await until("its beginning", () => begun > before);
  const digest = one.outputs.of("D");
  call.cancel();
  await ended;
  expect(await digest).toBeUndefined();
});
