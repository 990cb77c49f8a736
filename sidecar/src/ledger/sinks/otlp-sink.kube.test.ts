// Needs a collector that is built with Go; no cluster.
import { expect, test } from "vitest";
import { startCollector } from "../../../../scripts/testing/otel-collector.js";
import { until } from "../../../test/until.ts";
import { OtlpSink } from "./otlp-sink.ts";

test("a collector takes records, encrypted ones and checkpoints for what they are", async () => {
  await using collector = await startCollector();
  const sink = new OtlpSink({ endpoint: collector.endpoint, now: () => 1_795_500_000_000 });
  const ledger = "11111111-2222-3333-4444-555555555555";
  const identity = { format: 1, ledger, node: "n/web", spiffe: "spiffe://bank.example/ns/n/sa/web", policy: "n/main" };
  await sink.begin(ledger, Buffer.from(JSON.stringify(identity)));
  const head = "0".repeat(64);
  const plain = `${head} {"seq":7,"time":"2026-11-24T10:00:00.123Z","type":"log.gap","reason":"a \\"quoted\\" ü"}`;
  const sealed = `${head} {"seq":8,"kid":"0123456789abcdef","enc":"AAAA"}`;
  const bytes = Buffer.from(`${plain}\n${sealed}\n`);
  await sink.ship({ ledger, segment: 3, offset: 0, first: 7, last: 8, bytes });
  await sink.shipCheckpoints({ ledger, offset: 0, bytes: Buffer.from('{"checkpoint":"a.b.c"}\n') });
  await until("both are taken", () => collector.taken().includes("a.b.c"));
  const taken = collector.taken();
  for (const text of [
    `hedgerow.ledger: Str(${ledger})`,
    "hedgerow.node: Str(n/web)",
    "hedgerow.policy: Str(n/main)",
    `Body: Str(${plain})`,
    `Body: Str(${sealed})`,
    "Timestamp: 2026-11-24 10:00:00.123 +0000 UTC",
    "hedgerow.type: Str(log.gap)",
    "hedgerow.type: Str(encrypted)",
    "hedgerow.type: Str(checkpoint)",
    "hedgerow.seq: Int(7)",
    "hedgerow.seq: Int(8)",
    "hedgerow.segment: Int(3)",
  ]) {
    expect(taken).toContain(text);
  }
  sink.close();
});
