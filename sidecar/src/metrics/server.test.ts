import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { expect, test } from "vitest";
import { until } from "../../test/until.ts";
import { Prober } from "../probes/prober.ts";
import { MetricsServer } from "./server.ts";

const sixteenMegabytes = "# TYPE a counter\na 1\n".repeat(800_000);

async function serve(envoyPage: () => Promise<string>): Promise<{ server: MetricsServer; port: number }> {
  const server = new MetricsServer({
    listen: { host: "127.0.0.1", port: 0 },
    agentPage: () => "# TYPE own gauge\nown 1\n",
    envoyPage,
    appUrl: undefined,
    readiness: () => ({ ready: true, reason: "" }),
    started: () => true,
    prober: new Prober({ probes: new Map(), podIp: undefined, logger: pino({ level: "silent" }) }),
    logger: pino({ level: "silent" }),
  });
  const address = await server.start();
  return { server, port: Number(address.split(":").at(-1)) };
}

test("scrapes at the same time share one question to Envoy, the next asks anew", async () => {
  let asked = 0;
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  const { server, port } = await serve(async () => {
    asked += 1;
    await released;
    return `# TYPE e counter\ne ${asked}\n`;
  });
  const scrape = async () => await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const crowd = Array.from({ length: 20 }, scrape);
  await until("Envoy was asked", () => asked > 0);
  release(undefined);
  for (const page of await Promise.all(crowd)) expect(page).toContain("own 1");
  expect(asked).toBeLessThan(20);
  const before = asked;
  expect(await scrape()).toContain(`e ${before + 1}`);
  server.stop();
});

test("a reader that stops reading is let go, and the probe is answered meanwhile", async () => {
  const { server, port } = await serve(() => Promise.resolve(sixteenMegabytes));
  const reader = connect({ host: "127.0.0.1", port });
  await once(reader, "connect");
  reader.pause();
  reader.write("GET /metrics HTTP/1.1\r\nhost: agent\r\n\r\n");
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  // Not a condition but the thing itself: nothing is read for longer than the server waits.
  await sleep(8_000);
  let bytes = 0;
  reader.on("data", (chunk: Buffer) => (bytes += chunk.length));
  reader.on("error", () => undefined);
  reader.resume();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  reader.once("close", () => resolve(undefined));
  await promise;
  expect(bytes).toBeLessThan(sixteenMegabytes.length);
  server.stop();
});
