import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { connect } from "node:tls";
import { ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cluster, listener, type Ports, routes, serveAll } from "../test/resources.ts";
import { ScriptedControlPlane } from "../test/scripted-control-plane.ts";
import { TestCa } from "../test/test-ca.ts";
import { keepRequesting, startApp } from "../test/traffic.ts";
import { until } from "../test/until.ts";
import { AgentProcess, fetchOnce, freePort, untilServed } from "../test/workload.ts";

const NODE = "shop/caller";

/** The leaf that a port presents; undefined when there is no handshake. */
async function presentedLeaf(port: number): Promise<X509Certificate | undefined> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return socket.getPeerX509Certificate();
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

// In the order of a life: each test goes on from the one before.
describe("an agent and its Envoy", () => {
  let controlPlane: ScriptedControlPlane;
  let agent: AgentProcess;
  let app: Server;
  let ports: Ports;

  beforeAll(async () => {
    const started = await startApp();
    app = started.app;
    ports = { app: started.port, plain: await freePort(), tls: await freePort() };
    controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
    await controlPlane.start();
    serveAll(controlPlane, NODE, ports);
    agent = await AgentProcess.prepare(controlPlane, await controlPlane.ca.token(NODE), {
      HEDGEROW_APP_METRICS: `http://127.0.0.1:${ports.app}/metrics`,
    });
    agent.start();
  });

  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    controlPlane.stop();
    app.close();
  });

  test("enrols, programs Envoy and reports ready", async () => {
    await until("ready report", () => controlPlane.reports.at(-1)?.ready === true);
    expect(controlPlane.reports.at(-1)?.agentVersion).toMatch(/^\d/);
    expect(controlPlane.tokens).toHaveLength(1);
    await untilServed(ports.plain, "from the app");
    const node = controlPlane.requests.map((request) => request.node).filter((present) => present !== undefined);
    expect(node[0]?.id).toBe(NODE);
    expect(node.at(-1)?.userAgentName).toBe("envoy");
  });

  test("the agent holds little memory of its own", () => {
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${agent.pid}/status`, "utf8"))?.[1];
    // 80 MB with Node's defaults, 34 with ours.
    expect(Number(kilobytes) / 1024).toBeLessThan(50);
  });

  test("Envoy presents the SVID that the agent got, and the key is in no file", async () => {
    const leaf = await presentedLeaf(ports.tls);
    expect(leaf?.subjectAltName).toBe("URI:spiffe://bank.example/ns/shop/sa/caller");
    expect(leaf?.verify(controlPlane.ca.root.publicKey)).toBe(true);
    expect(controlPlane.keys).toContain(leaf?.publicKey.export({ type: "spki", format: "pem" }).toString());
    const files = readdirSync(agent.directory, { recursive: true, encoding: "utf8" })
      .map((name) => join(agent.directory, name))
      .filter((path) => statSync(path).isFile());
    expect(files.length).toBeGreaterThan(3);
    for (const path of files) expect(readFileSync(path, "utf8")).not.toContain("PRIVATE KEY");
    expect(statSync(agent.run).mode & 0o777).toBe(0o700);
  });

  test("one page holds the metrics of agent, Envoy and application, each family once", async () => {
    const { body } = await fetchOnce(agent.metricsPort, "/metrics");
    expect(body).toMatch(/^hedgerow_agent_ready 1$/m);
    expect(body).toMatch(/^hedgerow_agent_svid_expiry_seconds 3[0-9]{3}/m);
    expect(body).toMatch(/^hedgerow_agent_relay_connected\{peer="control_plane"\} 1$/m);
    expect(body).toMatch(/^envoy_listener_manager_lds_update_rejected\{\} 0$/m);
    expect(body).toMatch(/^envoy_cluster_manager_cds_update_rejected\{\} 0$/m);
    expect(body).toMatch(/^app_requests 7$/m);
    const families = body.split("\n").filter((line) => line.startsWith("# TYPE "));
    expect(new Set(families).size).toBe(families.length);
    expect((await fetchOnce(agent.metricsPort, "/readyz")).status).toBe(200);
  });

  test("a changed cluster does not wait for an assignment that Envoy has", async () => {
    const before = controlPlane.requests.length;
    controlPlane.set(ClusterSchema, { app: ["2", cluster(2_000)] });
    await controlPlane.acknowledged(ClusterSchema, before);
    await until("the changed cluster is active", async () => {
      const { body } = await fetchOnce(agent.metricsPort, "/metrics");
      return /^envoy_cluster_manager_warming_clusters\{\} 0$/m.test(body);
    });
    expect((await fetchOnce(ports.plain)).status).toBe(200);
  });

  test("a listener that Envoy refuses is refused upstream by name, and the one beside it runs", async () => {
    const before = controlPlane.requests.length;
    const extra = await freePort();
    const bad = listener("outbound/bad", 70_000, "none");
    controlPlane.set(ListenerSchema, {
      "outbound/plain": ["1", listener("outbound/plain", ports.plain, "none")],
      "inbound/tls": ["1", listener("inbound/tls", ports.tls, "state_of_the_world")],
      "outbound/bad": ["1", bad],
      "outbound/extra": ["1", listener("outbound/extra", extra, "none")],
    });
    await until("NACK", () => controlPlane.requests.slice(before).some(({ errorDetail }) => errorDetail !== undefined));
    const words = controlPlane.requests.find(({ errorDetail }) => errorDetail !== undefined)?.errorDetail?.message;
    expect(words).toContain("outbound/bad: ");
    expect(words).not.toContain("outbound/extra: ");
    await untilServed(extra, "from the app");
    controlPlane.set(ListenerSchema, {
      "outbound/plain": ["1", listener("outbound/plain", ports.plain, "none")],
      "inbound/tls": ["1", listener("inbound/tls", ports.tls, "state_of_the_world")],
    });
    await until("the removed listener is gone", async () => (await fetchOnce(extra)).status === 0);
  });

  test("an Envoy killed while the control plane is down serves again from the relay", async () => {
    controlPlane.stop();
    const killed = agent.envoyPid();
    process.kill(killed, "SIGKILL");
    await until("another Envoy runs", () => agent.envoyPid() !== killed);
    await untilServed(ports.plain, "from the app");
    await until("TLS with the SVID", async () => (await presentedLeaf(ports.tls)) !== undefined);
    await until("ready", async () => (await fetchOnce(agent.metricsPort, "/readyz")).status === 200);
    expect((await fetchOnce(agent.metricsPort, "/metrics")).body).toMatch(/^hedgerow_agent_envoy_restarts_total 1$/m);
  });

  test("an agent killed while the control plane is down is followed by one that adopts Envoy, unnoticed", async () => {
    const load = keepRequesting(ports.plain);
    const envoy = agent.envoyPid();
    const reported = controlPlane.reports.length;
    expect(await agent.end("SIGKILL")).toBe("SIGKILL");
    agent.start();
    await until("adopted", () => agent.log().includes("Adopted a running Envoy"));
    await until("Envoy is back on the relay", async () => {
      const { body } = await fetchOnce(agent.metricsPort, "/metrics");
      return /^hedgerow_agent_relay_connected\{peer="envoy"\} 1$/m.test(body);
    });
    expect(agent.envoyPid()).toBe(envoy);
    await controlPlane.start();
    const before = controlPlane.requests.length;
    await controlPlane.acknowledged(RouteConfigurationSchema, before);
    await until("a report", () => controlPlane.reports.length > reported);
    // Not for a moment out of service: the new agent says nothing before it knows.
    expect(controlPlane.reports.slice(reported).map(({ ready }) => ready)).toEqual([true]);
    const { failed, served } = await load.stop();
    expect(failed).toEqual([]);
    expect(served).toBeGreaterThan(10);
    // Enrolled again by the same token, since keys die with their agent.
    expect(controlPlane.tokens).toHaveLength(2);
    controlPlane.set(RouteConfigurationSchema, { routes: ["2", routes("edited")] });
    await untilServed(ports.plain, "edited");
    expect(agent.envoyPid()).toBe(envoy);
  });

  test("SIGTERM: not ready first, then Envoy ends, then the agent, with status 0", async () => {
    const envoy = agent.envoyPid();
    expect(await agent.end("SIGTERM")).toBe("status 0");
    expect(controlPlane.reports.at(-1)).toMatchObject({ ready: false, reason: "draining" });
    // A zombie, where nobody reaps orphans, has no command line.
    expect(existsSync(`/proc/${envoy}`) ? readFileSync(`/proc/${envoy}/cmdline`, "utf8") : "").toBe("");
    expect(existsSync(join(agent.run, "envoy.pid"))).toBe(false);
  });
});

describe("certificates", () => {
  test("are renewed with a new key each time, and Envoy presents the newest", async () => {
    const { app, port } = await startApp();
    await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
    controlPlane.ca.lifetimeMs = 4_000;
    await controlPlane.start();
    const ports = { app: port, plain: await freePort(), tls: await freePort() };
    serveAll(controlPlane, NODE, ports);
    await using agent = await AgentProcess.prepare(controlPlane, await controlPlane.ca.token(NODE));
    agent.start();
    await untilServed(ports.plain, "from the app");
    const load = keepRequesting(ports.plain);
    const first = await presentedLeaf(ports.tls);
    await until("two renewals", () => controlPlane.renewals >= 2);
    await until("a newer leaf", async () => {
      const leaf = await presentedLeaf(ports.tls);
      return leaf !== undefined && leaf.serialNumber !== first?.serialNumber;
    });
    expect(controlPlane.keys.size).toBe(controlPlane.tokens.length + controlPlane.renewals);
    expect(controlPlane.tokens).toHaveLength(1);
    expect((await load.stop()).failed).toEqual([]);
    app.close();
  });
});

describe("enrolment", () => {
  test.each([
    ["a token that names another root", "f".repeat(64), undefined, "does not present a root that the join token names"],
    [
      "a server that is not the control plane",
      undefined,
      "spiffe://bank.example/ns/shop/sa/thief",
      "expected spiffe://bank.example/ns/hedgerow-system/sa/control-plane",
    ],
  ])("%s sees no token and is said so", async (_, root, identity, words) => {
    const ca = new TestCa("bank.example");
    await using controlPlane = new ScriptedControlPlane(ca, NODE, identity);
    await controlPlane.start();
    await using agent = await AgentProcess.prepare(controlPlane, await ca.token(NODE, [root ?? ca.rootDigest()]));
    agent.start();
    await until("the refusal is logged", () => agent.log().includes(words));
    expect(controlPlane.tokens).toEqual([]);
  });

  test("a refused token is logged in the control plane's words and tried again, until it serves", async () => {
    const ca = new TestCa("bank.example");
    await using controlPlane = new ScriptedControlPlane(ca, NODE);
    controlPlane.refusal = "token was spent";
    await controlPlane.start();
    await using agent = await AgentProcess.prepare(controlPlane, await ca.token(NODE));
    agent.start();
    await until("the refusal is logged", () => agent.log().includes("token was spent"));
    expect(agent.log()).toContain(`make another with hedgerow token create ${NODE}`);
    controlPlane.refusal = undefined;
    await until("enrolled", () => controlPlane.keys.size === 1);
    expect(controlPlane.tokens.length).toBeGreaterThan(1);
  });

  test.each([
    ["text that is no token", "hunter2", "token is no compact JWS"],
    ["a JWT of another kind", "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.e30.AA", "expected hedgerow-join+jwt"],
  ])("%s in the token file ends the agent with status 1, saying so", async (_, token, words) => {
    await using controlPlane = new ScriptedControlPlane(new TestCa("bank.example"), NODE);
    await controlPlane.start();
    await using agent = await AgentProcess.prepare(controlPlane, token);
    agent.start();
    expect(await agent.exited).toBe("status 1");
    expect(agent.log()).toContain(words);
    expect(agent.log()).not.toContain(token);
  });
});
