import { type ObjectKey, objectKey } from "@hedgerow/manifest";
import {
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
} from "@hedgerow/proto";
import { describe, expect, test } from "vitest";
import { build, readExample } from "../../test/mesh.ts";
import type { Behind, ProxyState } from "../ads/proxy-state.ts";
import { layered } from "../snapshot/layers.ts";
import type { ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { describeProgrammed } from "./programmed.ts";

type Resources = ReadonlyMap<string, Resource>;

/** Comes from the Service of its own name. */
function resource(typeUrl: AdsTypeUrl, name: string): Resource {
  const object = { kind: "Service", namespace: "models", name } as const;
  return { typeUrl, name, version: "1", encoded: new Uint8Array(), origins: [{ object, path: ["spec"] }] };
}
const mapOf = (typeUrl: AdsTypeUrl, ...names: readonly string[]): Resources =>
  new Map(names.map((name) => [name, resource(typeUrl, name)]));

const sharedClusters = mapOf(CLUSTER_TYPE_URL, "x", "y");
const sharedListeners = mapOf(LISTENER_TYPE_URL, "y", "z");
/** Has what all share, and a cluster of its own. */
function proxy(nodeId: string, own: string): ProxySnapshot {
  return {
    nodeId,
    resources: new Map([
      [CLUSTER_TYPE_URL, layered(mapOf(CLUSTER_TYPE_URL, own), sharedClusters)],
      [LISTENER_TYPE_URL, sharedListeners],
    ]),
  };
}
/** Connected, and says what it is behind with; to compare all that it acknowledged would be a mistake. */
function state(
  { nodeId, resources }: ProxySnapshot,
  behind: Readonly<Partial<Record<AdsTypeUrl, string>>>,
): ProxyState {
  const typeState = (wanted: Resources, name: string | undefined) => ({
    behind: { wanted, names: new Set(name === undefined ? [] : [name]) } satisfies Behind,
    get acknowledged(): never {
      throw new Error("compared everything");
    },
    acknowledgedCount: 0,
    acknowledgedAtMs: undefined,
    rejected: undefined,
  });
  return {
    nodeId,
    spiffeId: "",
    connected: true,
    connectedAtMs: 0,
    envoyVersion: "",
    types: new Map([...resources].map(([typeUrl, wanted]) => [typeUrl, typeState(wanted, behind[typeUrl])])),
  };
}

test("an AuditPolicy needs the routes that lead to the agent, and what the agent is told; a TrafficPolicy the routes", () => {
  const typesOf = (example: string, object: ObjectKey) => {
    const { snapshot } = build(readExample(`${import.meta.dirname}/../../../manifests/examples/${example}.yaml`));
    return Object.fromEntries(
      [...snapshot.values()].flatMap(({ nodeId, resources }) => {
        const all = [...resources.values()].flatMap((byName) => [...byName.values()]);
        const found = all.filter(({ origins }) => origins.some((origin) => objectKey(origin.object) === object));
        return found.length === 0 ? [] : [[nodeId, new Set(found.map(({ typeUrl }) => typeUrl))]];
      }),
    );
  };
  expect(typesOf("audit", "AuditPolicy/models/card-fraud")).toEqual({
    "models/card-fraud-1": new Set([ROUTE_TYPE_URL, INSPECTION_CONFIG_TYPE_URL]),
  });
  expect(typesOf("audit", "AuditPolicy/models/models")).toEqual({
    "models/digits-1": new Set([ROUTE_TYPE_URL, INSPECTION_CONFIG_TYPE_URL]),
  });
  expect(typesOf("traffic", "TrafficPolicy/models/documents")).toEqual({
    "branch/scanner-1": new Set([ROUTE_TYPE_URL]),
    "models/documents-1": new Set([ROUTE_TYPE_URL]),
  });
});

describe("proxies that share most of what they run", () => {
  const [a, b] = [proxy("models/a", "own-a"), proxy("models/b", "x2")];
  const snapshot = new Map([a, b].map((each) => [each.nodeId, each]));
  const counts = (states: readonly ProxyState[], expected: readonly string[] = []) =>
    Object.fromEntries(
      ["x", "y", "z", "own-a", "x2"].map((name) => {
        const found = describeProgrammed(snapshot, states, expected).get(
          objectKey({ kind: "Service", namespace: "models", name }),
        );
        return [name, found && `${found.total - found.lagging}/${found.total}`];
      }),
    );

  test("count each for every object once, though it stands in several of its maps", () => {
    expect(counts([state(a, {}), state(b, {})])).toEqual({ x: "2/2", y: "2/2", z: "2/2", "own-a": "1/1", x2: "1/1" });
  });

  test("alone are counted as well", () => {
    expect(counts([state(a, {})])).toEqual({ x: "1/1", y: "1/1", z: "1/1", "own-a": "1/1", x2: undefined });
  });

  test("lag with what they say that they are behind with", () => {
    const states = [state(a, { [LISTENER_TYPE_URL]: "y" }), state(b, { [CLUSTER_TYPE_URL]: "x2" })];
    expect(counts(states)).toEqual({ x: "2/2", y: "1/2", z: "2/2", "own-a": "1/1", x2: "0/1" });
  });

  test("lag with everything where nothing is known of them", () => {
    expect(counts([state(a, {})], ["models/b", "models/unheard-of"])).toEqual({
      x: "1/2",
      y: "1/2",
      z: "1/2",
      "own-a": "1/1",
      x2: "0/1",
    });
  });
});
