import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { allowAnyone, allowMesh, type CompiledAccess, denyAll } from "@hedgerow/policy";
import {
  type FilterChain,
  type FilterChainMatch,
  FilterChainSchema,
} from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MtlsMode, PortProtocol } from "../cluster/state.ts";
import type { Origin } from "../snapshot/snapshot.ts";
import { inboundChains } from "./inbound-chains.ts";

interface Connection {
  readonly port: number;
  readonly serverName: string | undefined;
  readonly transport: "tls" | "raw_buffer";
  readonly alpn: readonly string[];
}

/** Envoy's choice as its documentation describes it, for what we match on: the most specific value wins and there is no way back. */
function choose(
  chains: readonly FilterChain[],
  { port, serverName, transport, alpn }: Connection,
): FilterChain | undefined {
  const stages: readonly ((match: FilterChainMatch) => readonly [value: string | undefined, isWanted: boolean])[] = [
    ({ destinationPort }) => [destinationPort?.toString(), destinationPort === port],
    ({ serverNames: [name] }) => [name, name !== undefined && serverName?.endsWith(name.slice(1)) === true],
    ({ transportProtocol }) => [transportProtocol || undefined, transportProtocol === transport],
    ({ applicationProtocols: all }) => [all[0], all.some((protocol) => alpn.includes(protocol))],
  ];
  let left = chains;
  for (const stage of stages) {
    const judged = left.map((chain) => {
      if (chain.filterChainMatch === undefined) throw new Error("a chain that matches everything");
      return { chain, stage: stage(chain.filterChainMatch) };
    });
    const specific = judged.filter(({ stage: [, isWanted] }) => isWanted);
    left = (specific.length > 0 ? specific : judged.filter(({ stage: [value] }) => value === undefined)).map(
      ({ chain }) => chain,
    );
  }
  expect(left.length).toBeLessThan(2);
  return left[0];
}

const origin: Origin = { object: { kind: "Service", namespace: "n", name: "s" }, path: [] };
const teller = [{ kind: "exact", value: "spiffe://bank.ae/ns/branch/sa/teller" }] as const;
const rule = (paths: CompiledAccess["rules"][number]["paths"]): CompiledAccess => ({
  policy: "n/p",
  generation: undefined,
  rules: [{ name: "r", principals: teller, paths }],
});
const access = {
  anyone: allowAnyone("default allow"),
  mesh: allowMesh("default allow", "bank.ae"),
  nobody: denyAll("default deny"),
  teller: rule(undefined),
  tellerOnPaths: rule([{ kind: "exact", value: "/ok" }]),
};

function chainsOf(mtls: MtlsMode, ports: readonly (readonly [PortProtocol, CompiledAccess])[]): readonly FilterChain[] {
  return ports
    .flatMap(([protocol, compiled], index): readonly MessageInitShape<typeof FilterChainSchema>[] => {
      const port = 8000 + index;
      const inbound = {
        port,
        appPort: port,
        protocol,
        origin,
        access: [compiled],
        accessOrigins: [],
        inspection: undefined,
        maxRequestBytes: undefined,
        trafficOrigins: [],
      };
      return inboundChains({ trustDomain: "bank.ae", nodeId: "n/pod", mtls, inbound });
    })
    .map((chain) => create(FilterChainSchema, chain));
}

// A server name is read from a TLS handshake only.
const connection = fc.oneof(
  fc.record({
    serverName: fc.constantFrom(undefined, "s.n.mesh.hedgerow.internal", "mesh.hedgerow.internal", "own.example"),
    transport: fc.constant("tls" as const),
    alpn: fc.subarray(["h2", "http/1.1", "http/1.0", "h2c", "odd"]),
  }),
  fc.record({
    serverName: fc.constant(undefined),
    transport: fc.constant("raw_buffer" as const),
    alpn: fc.constantFrom([], ["http/1.0"], ["http/1.1"], ["h2c"]),
  }),
);
const port = fc.tuple(fc.constantFrom<PortProtocol>("http", "tcp", "auto"), fc.constantFrom(...Object.values(access)));

test("a connection to a known port never falls to the default chain of permissive mode, which leads past every policy", () => {
  fc.assert(
    fc.property(fc.array(port, { minLength: 1, maxLength: 3 }), connection, (ports, met) => {
      const chains = chainsOf("permissive", ports);
      expect(new Set(chains.map(({ name }) => name)).size).toBe(chains.length);
      for (const index of ports.keys()) expect(choose(chains, { ...met, port: 8000 + index })).toBeDefined();
      expect(choose(chains, { ...met, port: 7999 })).toBeUndefined();
    }),
  );
});

test("in strict mode whatever is taken is taken over mTLS", () => {
  let taken = 0;
  fc.assert(
    fc.property(port, connection, (one, met) => {
      const socket = choose(chainsOf("strict", [one]), { ...met, port: 8000 })?.transportSocket;
      taken += Number(socket !== undefined);
      expect(chainsOf("strict", [one]).filter(({ transportSocket }) => transportSocket === undefined)).toEqual([]);
      expect([undefined, "envoy.transport_sockets.tls"]).toContain(socket?.name);
    }),
  );
  expect(taken).toBeGreaterThan(0);
});

type Way = "http" | "tcp" | "closed";
const mesh = { serverName: "s.n.mesh.hedgerow.internal", transport: "tls" } as const;
const plain = { serverName: undefined, transport: "raw_buffer" } as const;
const foreign = { serverName: "own.example", transport: "tls" } as const;

describe.each<[MtlsMode, PortProtocol, keyof typeof access, Readonly<Record<string, Way>>]>([
  ["strict", "http", "mesh", { meshHttp: "http", meshTcp: "closed", plainHttp: "closed", plainTcp: "closed" }],
  ["strict", "tcp", "mesh", { meshHttp: "tcp", meshTcp: "tcp", plainHttp: "closed", foreign: "closed" }],
  ["strict", "auto", "mesh", { meshHttp: "http", meshTcp: "tcp", plainTcp: "closed", foreign: "closed" }],
  ["strict", "auto", "tellerOnPaths", { meshHttp: "http", meshTcp: "closed" }],
  ["strict", "tcp", "nobody", { meshTcp: "closed" }],
  ["strict", "tcp", "teller", { meshTcp: "tcp" }],
  ["permissive", "http", "anyone", { meshHttp: "http", meshTcp: "closed", plainHttp: "http", foreign: "tcp" }],
  ["permissive", "http", "teller", { meshHttp: "http", plainHttp: "http", foreign: "closed" }],
  ["permissive", "tcp", "anyone", { meshTcp: "tcp", plainHttp: "tcp", plainTcp: "tcp", foreign: "tcp" }],
  ["permissive", "tcp", "teller", { meshTcp: "tcp", plainHttp: "closed", plainTcp: "closed", foreign: "closed" }],
  ["permissive", "auto", "anyone", { meshTcp: "tcp", plainHttp: "http", plainTcp: "tcp", foreign: "tcp" }],
  // HTTP is judged by its routes.
  ["permissive", "auto", "teller", { meshTcp: "tcp", plainHttp: "http", plainTcp: "closed", foreign: "closed" }],
  ["permissive", "auto", "mesh", { meshTcp: "tcp", plainTcp: "closed", foreign: "closed" }],
])("%s %s for %s", (mtls, protocol, who, ways) => {
  const chains = chainsOf(mtls, [[protocol, access[who]]]);
  const connections = {
    meshHttp: { ...mesh, alpn: ["h2"] },
    meshTcp: { ...mesh, alpn: [] },
    plainHttp: { ...plain, alpn: ["http/1.1"] },
    plainTcp: { ...plain, alpn: [] },
    foreign: { ...foreign, alpn: ["h2"] },
  };
  test.each(Object.entries(ways))("%s is %s", (name, way) => {
    const met = Object.entries(connections).find(([known]) => known === name)?.[1];
    if (met === undefined) throw new Error(`no connection ${name}`);
    const filter = choose(chains, { port: 8000, ...met })?.filters[0]?.name;
    const is = filter === undefined ? "closed" : filter.endsWith("tcp_proxy") ? "tcp" : "http";
    expect(is).toBe(way);
  });
});
