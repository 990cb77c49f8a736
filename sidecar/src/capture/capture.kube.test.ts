// Needs root, iproute2 and iptables: two network namespaces, a pod's and the rest of the world's, on one wire.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

const main = join(import.meta.dirname, "main.ts");
const node = process.execPath;
const POD = `hedgerow-pod-${process.pid}`;
const WORLD = `hedgerow-world-${process.pid}`;
const POD_IP = "10.99.0.2";
const POD_IP6 = "fd99::2";
const WORLD_IP = "10.99.0.1";
const WORLD_IP6 = "fd99::1";

const ip = (...words: string[]) => execFileSync("ip", words, { encoding: "utf8" });
const inside = (namespace: string, ...words: string[]) => ["netns", "exec", namespace, ...words];

/** Each port answers with its name, and with the address that it was called from. */
const SERVE = `
const { createServer } = require("node:net");
const ports = JSON.parse(process.argv[1]);
let left = ports.length;
for (const [host, port, name] of ports)
  createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(name + " from " + socket.remoteAddress);
  }).listen({ host, port, ipv6Only: true }, () => --left === 0 && console.log("listening"));`;
const CALL = `
const { connect } = require("node:net");
const [host, port, localAddress] = process.argv.slice(1);
const socket = connect({ host, port, localAddress: localAddress || undefined, timeout: 3000 });
socket.on("data", (words) => console.log(String(words)));
socket.on("timeout", () => { console.log("timeout"); socket.destroy(); });
socket.on("error", ({ code }) => console.log(code));`;

const servers: ChildProcess[] = [];
async function serve(namespace: string, ports: readonly (readonly [host: string, port: number, name: string])[]) {
  const server = spawn("ip", inside(namespace, node, "-e", SERVE, JSON.stringify(ports)), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  servers.push(server);
  await once(server.stdout, "data");
}

/** Whom a connection reaches; an error's code where nobody. */
function call(
  namespace: string,
  host: string,
  port: number,
  { as, from = "" }: { readonly as?: "proxy"; readonly from?: string } = {},
): string {
  const identity = as === "proxy" ? ["setpriv", "--reuid=1337", "--regid=1337", "--clear-groups"] : [];
  const words = inside(namespace, ...identity, node, "-e", CALL, host, String(port), from);
  return (execFileSync("ip", words, { encoding: "utf8" }).trim().split(" from ")[0] ?? "").trim();
}

function capture(setting: string | undefined): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env["PATH"], ...(setting === undefined ? {} : { HEDGEROW_CAPTURE: setting }) };
  return spawnSync("ip", inside(POD, node, main), { env, encoding: "utf8" });
}

function flush(): void {
  for (const program of ["iptables", "ip6tables"]) {
    for (const table of ["nat", "filter"]) {
      for (const flag of ["-F", "-X"]) ip(...inside(POD, program, "-t", table, flag));
    }
  }
}

beforeAll(async () => {
  ip("netns", "add", POD);
  ip("netns", "add", WORLD);
  ip("link", "add", "eth0", "netns", POD, "type", "veth", "peer", "name", "eth0", "netns", WORLD);
  for (const [namespace, v4, v6] of [
    [POD, POD_IP, POD_IP6],
    [WORLD, WORLD_IP, WORLD_IP6],
  ] as const) {
    ip("-n", namespace, "address", "add", `${v4}/24`, "dev", "eth0");
    ip("-n", namespace, "address", "add", `${v6}/64`, "dev", "eth0", "nodad");
    ip("-n", namespace, "link", "set", "lo", "up");
    ip("-n", namespace, "link", "set", "eth0", "up");
  }
  ip("-n", WORLD, "address", "add", "10.98.0.1/32", "dev", "lo");
  ip("-n", POD, "route", "add", "default", "via", WORLD_IP);
  await serve(POD, [
    ["0.0.0.0", 8080, "application"],
    ["::", 8080, "application"],
    ["0.0.0.0", 9090, "scraped"],
    ["::", 9090, "scraped"],
    ["0.0.0.0", 15020, "agent"],
    ["::", 15020, "agent"],
    ["0.0.0.0", 15006, "inbound"],
    ["127.0.0.1", 15001, "outbound"],
  ]);
  await serve(WORLD, [
    ["0.0.0.0", 80, "world"],
    ["::", 80, "world"],
    ["0.0.0.0", 53, "resolver"],
    ["0.0.0.0", 5432, "database"],
  ]);
}, 60_000);

afterAll(() => {
  for (const server of servers) server.kill("SIGKILL");
  for (const namespace of [POD, WORLD]) spawnSync("ip", ["netns", "delete", namespace]);
});

beforeEach(flush);

test("without capture everybody reaches whom he calls", () => {
  expect(call(WORLD, POD_IP, 8080)).toBe("application");
  expect(call(WORLD, POD_IP6, 8080)).toBe("application");
  expect(call(POD, WORLD_IP, 80)).toBe("world");
});

describe("with everything captured", () => {
  beforeEach(() => {
    capture("{}");
  });

  test("what was done is said in a few lines", () => {
    const { status, stdout, stderr } = capture("{}");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      /^inbound to 15006: ports all but 15020 \(iptables\)\noutbound to 15001: ranges all \(iptables\)\n/,
    );
    expect(stdout).toContain(`inbound to ${POD_IP6}: the same ports are refused (ip6tables)`);
  });

  test.each([
    ["whoever calls the application reaches the proxy", WORLD, POD_IP, 8080, {}, "inbound"],
    ["and on any other port too", WORLD, POD_IP, 1, {}, "inbound"],
    ["the agent is reached as it is", WORLD, POD_IP, 15020, {}, "agent"],
    ["the application's calls reach the proxy", POD, WORLD_IP, 80, {}, "outbound"],
    ["wherever they go", POD, "10.98.0.1", 7, {}, "outbound"],
    ["but for DNS over TCP", POD, WORLD_IP, 53, {}, "resolver"],
    ["the proxy's calls leave the pod", POD, WORLD_IP, 80, { as: "proxy" }, "world"],
    ["within the pod everything stays as it is, by loopback", POD, "127.0.0.1", 8080, {}, "application"],
    ["and by the pod's own address", POD, POD_IP, 8080, {}, "application"],
    ["the proxy that chose its own pod calls it as others do", POD, POD_IP, 8080, { as: "proxy" }, "inbound"],
    [
      "what it takes in goes on to the application",
      POD,
      POD_IP,
      8080,
      { as: "proxy", from: "127.0.0.6" },
      "application",
    ],
    ["by loopback it reaches its own ports", POD, "127.0.0.1", 15020, { as: "proxy" }, "agent"],
    ["its own agent by the pod's address as well", POD, POD_IP, 15020, { as: "proxy" }, "agent"],
    ["IPv6 is no way around the proxy", WORLD, POD_IP6, 8080, {}, "ECONNREFUSED"],
    ["but for the agent", WORLD, POD_IP6, 15020, {}, "agent"],
    ["the application's own calls over IPv6 are answered", POD, WORLD_IP6, 80, {}, "world"],
    ["and so are those within the pod", POD, POD_IP6, 8080, {}, "application"],
  ] as const)("%s", (_, namespace, host, port, how, reached) => {
    expect(call(namespace, host, port, how)).toBe(reached);
  });

  test("again, nothing changes, and other settings replace the former ones", () => {
    const rules = () =>
      ["iptables-save", "ip6tables-save"]
        .map((program) => ip(...inside(POD, program)))
        .join("")
        .replaceAll(/^#.*\n|\[\d+:\d+\]/gm, "");
    const before = rules();
    expect(capture("{}").status).toBe(0);
    expect(rules()).toBe(before);
    expect(capture('{"excludeInboundPorts": [8080], "outboundIpRanges": []}').status).toBe(0);
    expect(call(WORLD, POD_IP, 8080)).toBe("application");
    expect(call(POD, WORLD_IP, 80)).toBe("world");
  });
});

test("exclusions and inclusions are heeded, in both families", () => {
  const setting = {
    outboundIpRanges: ["10.98.0.0/16"],
    outboundPorts: [5432],
    excludeOutboundPorts: [7],
    inboundPorts: [8080],
    excludeInboundPorts: [9090],
  };
  expect(capture(JSON.stringify(setting)).status).toBe(0);
  expect(call(POD, WORLD_IP, 80)).toBe("world");
  expect(call(POD, WORLD_IP, 5432)).toBe("outbound");
  expect(call(POD, "10.98.0.1", 80)).toBe("outbound");
  expect(call(POD, "10.98.0.1", 7)).toBe("ECONNREFUSED");
  expect(call(WORLD, POD_IP, 8080)).toBe("inbound");
  expect(call(WORLD, POD_IP, 9090)).toBe("scraped");
  expect(call(WORLD, POD_IP, 1)).toBe("ECONNREFUSED");
  expect(call(WORLD, POD_IP6, 8080)).toBe("ECONNREFUSED");
  expect(call(WORLD, POD_IP6, 9090)).toBe("scraped");
  // The proxy that chose its own pod, at a port that is not captured.
  expect(call(POD, POD_IP, 9090, { as: "proxy" })).toBe("scraped");
});

test("rules of others stay, behind ours", () => {
  ip(
    ...inside(
      POD,
      "iptables",
      "-t",
      "nat",
      "-A",
      "PREROUTING",
      "-p",
      "tcp",
      "--dport",
      "8080",
      "-j",
      "REDIRECT",
      "--to-ports",
      "9090",
    ),
  );
  expect(call(WORLD, POD_IP, 8080)).toBe("scraped");
  expect(capture("{}").status).toBe(0);
  expect(call(WORLD, POD_IP, 8080)).toBe("inbound");
  expect(ip(...inside(POD, "iptables-save", "-t", "nat"))).toContain("--to-ports 9090");
});

test.each([
  ["no setting", undefined, "HEDGEROW_CAPTURE: is not set\n"],
  [
    "a range that is more than a range",
    '{"outboundIpRanges": ["0.0.0.0/0 -j ACCEPT"]}',
    "HEDGEROW_CAPTURE: outboundIpRanges: expected ranges",
  ],
])("%s ends with status 2, and changes nothing", (_, setting, words) => {
  const { status, stderr } = capture(setting);
  expect(status).toBe(2);
  expect(stderr).toContain(words);
  expect(call(WORLD, POD_IP, 8080)).toBe("application");
});

test("without the right to it, capture ends with status 1 and says what it tried", () => {
  const powerless = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
  const env = { PATH: process.env["PATH"], HEDGEROW_CAPTURE: "{}" };
  const { status, stderr } = spawnSync("ip", inside(POD, ...powerless, node, main), { env, encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^capture failed\nip6tables-/);
  expect(stderr).toContain("ip6tables-legacy-");
  expect(call(WORLD, POD_IP, 8080)).toBe("application");
});

test("a pod with IPv6 alone is refused, rather than left open", () => {
  ip("-n", POD, "address", "delete", `${POD_IP}/24`, "dev", "eth0");
  try {
    const { status, stderr } = capture("{}");
    expect(status).toBe(1);
    expect(stderr).toContain(`this pod has no IPv4 address, only ${POD_IP6}`);
  } finally {
    ip("-n", POD, "address", "add", `${POD_IP}/24`, "dev", "eth0");
    ip("-n", POD, "route", "replace", "default", "via", WORLD_IP);
  }
});
