import { afterEach, expect, test } from "vitest";
import { Counter, exposition, Gauge } from "./metrics.ts";
import { MetricsServer } from "./server.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]();
});

test("counters start at zero for every combination of labels, gauges are asked when shown", () => {
  const answers = new Counter("answers_total", "Answers.", [{ outcome: "ok" }, { outcome: "failed" }]);
  let ready = 3;
  const gauge = new Gauge("ready", "Ready workloads.", () => ready);
  answers.add({ outcome: "ok" });
  answers.add({ outcome: "ok" }, 2);
  ready = 4;
  expect(exposition([answers, gauge])).toBe(
    `# HELP answers_total Answers.
# TYPE answers_total counter
answers_total{outcome="ok"} 3
answers_total{outcome="failed"} 0
# HELP ready Ready workloads.
# TYPE ready gauge
ready 4
`,
  );
});

test("the server says how it is", async () => {
  let unready: string | undefined = "waiting for a MeshConfig";
  const server = await MetricsServer.listen({
    listen: { host: "127.0.0.1", port: 0 },
    metrics: () => "x 1\n",
    unready: () => unready,
  });
  open.push(server);
  const get = async (path: string) => {
    const response = await fetch(`http://${server.address}${path}`);
    return [response.status, await response.text()];
  };
  expect(await get("/readyz")).toEqual([503, "waiting for a MeshConfig\n"]);
  unready = undefined;
  expect(await get("/readyz")).toEqual([200, "ok\n"]);
  expect(await get("/healthz?x")).toEqual([200, "ok\n"]);
  expect(await get("/metrics")).toEqual([200, "x 1\n"]);
  expect((await get("/"))[0]).toBe(404);
});
