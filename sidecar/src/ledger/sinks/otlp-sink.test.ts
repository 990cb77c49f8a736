import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { OtlpSink } from "./otlp-sink.ts";

const ledger = "11111111-2222-3333-4444-555555555555";
const identity = { format: 1, ledger, node: "n/web", spiffe: "spiffe://b/ns/n/sa/web", policy: "n/main" };

// A collector that works never says these; they are the protocol's own words (OTLP 1.x, "Partial Success").
test.each<[status: number, body: string, words: string | undefined]>([
  [200, "", undefined],
  [200, "{}", undefined],
  [200, '{"partialSuccess":{}}', undefined],
  [200, '{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"slow down"}}', undefined],
  [200, '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}', "too old"],
  [503, "away", "POST /v1/logs: 503 away"],
  [400, "", "POST /v1/logs: 400"],
])("an answer of %i %s", async (status, body, words) => {
  const server = createServer((_, answer) => answer.writeHead(status).end(body)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sink = new OtlpSink({ endpoint: `http://127.0.0.1:${port}`, now: () => 0 });
  try {
    await sink.begin(ledger, Buffer.from(JSON.stringify(identity)));
    const bytes = Buffer.from(`${"0".repeat(64)} {"seq":7,"type":"log.gap"}\n`);
    const shipped = await sink.ship({ ledger, segment: 0, offset: 0, first: 7, last: 7, bytes }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    expect(shipped?.includes(words ?? "taken") ?? false).toBe(words !== undefined);
  } finally {
    sink.close();
    server.close();
  }
});
