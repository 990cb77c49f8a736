import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listener, serveAll } from "../test/resources.ts";
import { ScriptedControlPlane } from "../test/scripted-control-plane.ts";
import { TestCa } from "../test/test-ca.ts";
import { keepRequesting, startApp } from "../test/traffic.ts";
import { until } from "../test/until.ts";
import { AgentProcess, entrypoint, fetchOnce, freePort, untilServed } from "../test/workload.ts";

const NODE = "shop/web-0.blue";
const DRAIN_MS = 3_000;

function accountToken(claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "RS256", kid: "k" })}.${encode(claims)}.c2ln`;
}
const inAnHour = Math.floor(Date.now() / 1000) + 3_600;
const good = { aud: ["hedgerow-enroll"], exp: inAnHour, sub: "system:serviceaccount:shop:web" };

function settings(controlPlane: ScriptedControlPlane): Record<string, string> {
  const byName = (address: string) => address.replace("127.0.0.1", "localhost");
  return {
    HEDGEROW_ENROLL: byName(controlPlane.enrollAddress),
    HEDGEROW_MESH: byName(controlPlane.meshAddress),
    HEDGEROW_NODE_ID: NODE,
    HEDGEROW_TRUST_DOMAIN: "bank.example",
    HEDGEROW_ROOT_DIGESTS: controlPlane.ca.rootDigest(),
  };
}

/** What a pod is told: a listener for what is captured, and nothing of its application. */
function servePod(controlPlane: ScriptedControlPlane, appPort: number, capturePort: number): void {
  serveAll(controlPlane, NODE, { app: appPort, plain: capturePort, tls: 0 });
  const captured = listener("inbound-capture", capturePort, "none");
  // Its statistics under the name of its fixed port, which this machine may be using.
  captured.statPrefix = "0.0.0.0_15006";
  controlPlane.set(ListenerSchema, { "inbound-capture": ["1", captured] });
}

function tellPod(controlPlane: ScriptedControlPlane): void {
  const config = create(WorkloadConfigSchema, { listeners: ["inbound-capture"], drain: durationFromMs(DRAIN_MS) });
  controlPlane.set(WorkloadConfigSchema, { [NODE]: ["1", config] });
}

/** Children of the entrypoint: the agent. */
function agentPid(entrypointPid: number): number {
  return Number(readFileSync(`/proc/${entrypointPid}/task/${entrypointPid}/children`, "utf8").trim().split(" ")[0]);
}

// In the order of a life: each test goes on from the one before.
describe("an agent in a pod", () => {
  let controlPlane: ScriptedControlPlane;
  let agent: AgentProcess;
  let app: Server;
  let appPort: number;
  let capturePort: number;

  beforeAll(async () => {
    ({ app, port: appPort } = await startApp());
    capturePort = await freePort();
    controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
    await controlPlane.start();
    servePod(controlPlane, appPort, capturePort);
    controlPlane.set(WorkloadConfigSchema, {});
    const probe = { httpGet: { port: appPort }, timeoutSeconds: 1 };
    agent = await AgentProcess.prepare(controlPlane, accountToken(good), {
      ...settings(controlPlane),
      HEDGEROW_PROBES: JSON.stringify({ "/app-health/app/livez": probe }),
    });
    agent.start(entrypoint);
  });

  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    controlPlane.stop();
    app.close();
  });

  const answerTo = async (path: string) => await fetchOnce(agent.metricsPort, path);

  test("enrols as the pod by its service-account token, at a control plane that has a name", async () => {
    await until("an SVID", () => agent.log().includes("Received an SVID"));
    expect(controlPlane.tokens).toEqual([accountToken(good)]);
    expect(agent.log()).toContain(`"node_id":"${NODE}"`);
  });

  test("has not started before its control plane has said what must be active", async () => {
    // The SVID may be younger than the agent's last look at itself.
    await until("all else", async () => (await answerTo("/startupz")).body.includes("no configuration"));
    expect(await answerTo("/startupz")).toEqual({
      status: 503,
      body: "not started: no configuration from the control plane yet\n",
    });
    tellPod(controlPlane);
    await until("started", async () => (await answerTo("/startupz")).status === 200);
    await until("ready", async () => (await answerTo("/readyz")).status === 200);
    await untilServed(capturePort, "from the app");
  });

  test("answers for the application's probes, and stays ready whatever they say", async () => {
    expect(await answerTo("/app-health/app/livez")).toEqual({ status: 200, body: "application answers 200\n" });
    expect((await answerTo("/app-health/app/readyz")).status).toBe(404);
    app.close();
    expect((await answerTo("/app-health/app/livez")).status).toBe(503);
    expect((await answerTo("/readyz")).status).toBe(200);
    app = createServer((_, response) => response.end("from the app")).listen(appPort, "127.0.0.1");
    await untilServed(capturePort, "from the app");
  });

  test("Envoy's access log is where the agent's is, on the container's standard output", async () => {
    expect(readFileSync(join(agent.directory, "agent.log"), "utf8")).not.toContain("envoy-access.log");
    expect(() => readFileSync(join(agent.run, "envoy-access.log"))).toThrow("ENOENT");
  });

  test("that is killed is started again, and Envoy serves on without noticing", async () => {
    const envoy = agent.envoyPid();
    const killed = agentPid(agent.pid);
    const load = keepRequesting(capturePort);
    for (let round = 1; round <= 2; round += 1) {
      process.kill(agentPid(agent.pid), "SIGKILL");
      await until("adopted", () => agent.log().split("Adopted a running Envoy").length > round);
      await until("started", async () => (await answerTo("/startupz")).status === 200);
    }
    expect(agentPid(agent.pid)).not.toBe(killed);
    expect(agent.envoyPid()).toBe(envoy);
    expect(agent.log()).toContain('"status":137,"restart_in_seconds":0,"msg":"Agent ended, starting it again"');
    expect(agent.log()).toContain('"restart_in_seconds":1,');
    const { failed, served } = await load.stop();
    expect(failed).toEqual([]);
    expect(served).toBeGreaterThan(10);
  });

  test("on SIGTERM is not ready, and takes connections for as long as callers may not know", async () => {
    const load = keepRequesting(capturePort);
    const beganMs = performance.now();
    const ended = agent.end("SIGTERM");
    await until("draining", async () => (await answerTo("/readyz")).body === "not ready: draining\n");
    await until("most of the drain", () => performance.now() - beganMs > DRAIN_MS - 500);
    const { failed, served } = await load.stop();
    expect(failed).toEqual([]);
    expect(served).toBeGreaterThan(10);
    expect(await ended).toBe("status 0");
    expect(performance.now() - beganMs).toBeGreaterThan(DRAIN_MS);
  });
});

test("a pod that nobody ever called, a Job's say, ends soon", async () => {
  await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
  await controlPlane.start();
  servePod(controlPlane, await freePort(), await freePort());
  tellPod(controlPlane);
  await using agent = await AgentProcess.prepare(controlPlane, accountToken(good), settings(controlPlane));
  agent.start(entrypoint);
  await until("started", async () => (await fetchOnce(agent.metricsPort, "/startupz")).status === 200);
  const beganMs = performance.now();
  expect(await agent.end("SIGTERM")).toBe("status 0");
  expect(performance.now() - beganMs).toBeLessThan(DRAIN_MS);
});

test("a setting that is wrong ends the container with status 2", async () => {
  await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
  await controlPlane.start();
  await using agent = await AgentProcess.prepare(controlPlane, "", { HEDGEROW_NODE_ID: NODE });
  agent.start(entrypoint);
  expect(await agent.exited).toBe("status 2");
  expect(agent.log()).toContain("HEDGEROW_TRUST_DOMAIN is not set");
});

test("SIGTERM while agents crash one after the other ends the container at once", async () => {
  await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
  await controlPlane.start();
  await using agent = await AgentProcess.prepare(controlPlane, "no join token");
  agent.start(entrypoint);
  await until("a back-off", () => agent.log().includes('"status":1,"restart_in_seconds":2'));
  expect(await agent.end("SIGTERM")).toBe("status 1");
});

describe("a service-account token", () => {
  test.each([
    [
      "for another audience is not sent",
      { ...good, aud: ["https://kubernetes.default.svc"] },
      undefined,
      "set the audience of the pod's projected token",
    ],
    ["that has expired is said to be so", { ...good, exp: 1_000 }, "no", "the kubelet has not renewed it"],
    ["that the cluster refuses is said to be so", good, "no", "the cluster does not know it"],
  ])("%s, and the next one is tried", async (_, claims, refusal, words) => {
    await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
    controlPlane.refusal = refusal;
    await controlPlane.start();
    const first = accountToken(claims);
    await using agent = await AgentProcess.prepare(controlPlane, first, settings(controlPlane));
    agent.start();
    await until("the refusal is logged", () => agent.log().includes(words));
    expect(agent.log()).not.toContain(first);
    expect(controlPlane.tokens.includes(first)).toBe(refusal !== undefined);
    controlPlane.refusal = undefined;
    const second = accountToken({ ...good, iat: 1 });
    writeFileSync(join(agent.directory, "token"), second);
    await until("enrolled", () => controlPlane.keys.size === 1);
    expect(controlPlane.tokens.at(-1)).toBe(second);
  });

  test("is not sent to a control plane of other roots, and the way out is said", async () => {
    await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
    await controlPlane.start();
    await using agent = await AgentProcess.prepare(controlPlane, accountToken(good), {
      ...settings(controlPlane),
      HEDGEROW_ROOT_DIGESTS: "f".repeat(64),
    });
    agent.start();
    await until("the refusal is logged", () => agent.log().includes("a root that HEDGEROW_ROOT_DIGESTS names"));
    expect(controlPlane.tokens).toEqual([]);
  });
});
