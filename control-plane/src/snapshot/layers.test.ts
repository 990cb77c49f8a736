import { CLUSTER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { describe, expect, test } from "vitest";
import { build, readExample } from "../../test/mesh.ts";
import { checkProxy } from "./consistency.ts";
import { layered, layersOf } from "./layers.ts";
import type { Resource } from "./snapshot.ts";

const resource = (name: string): Resource => ({
  typeUrl: CLUSTER_TYPE_URL,
  name,
  version: name,
  encoded: new Uint8Array(),
  origins: [],
});
const mapOf = (...names: string[]) => new Map(names.map((name) => [name, resource(name)]));

describe("a map over two others", () => {
  const [own, shared] = [mapOf("a"), mapOf("b", "c")];
  const both = layered(own, shared);

  test("reads as one", () => {
    const visited: string[] = [];
    both.forEach((_, name) => void visited.push(name));
    expect([both.size, [...both.keys()], [...both.values()], [...both], visited]).toEqual([
      3,
      ["a", "b", "c"],
      [...own.values(), ...shared.values()],
      [...own, ...shared],
      ["a", "b", "c"],
    ]);
    expect(["a", "c", "d"].map((name) => [both.has(name), both.get(name)?.name])).toEqual([
      [true, "a"],
      [true, "c"],
      [false, undefined],
    ]);
  });

  test("is the same object whenever it is asked for, and tells what it is made of", () => {
    expect(layered(own, shared)).toBe(both);
    expect([layersOf(both), layersOf(own)]).toEqual([[own, shared], [own]]);
  });

  test("is no new one where there is nothing to add", () => {
    expect([layered(own, new Map()), layered(new Map(), shared)]).toEqual([own, shared]);
  });
});

test("a proxy that misses what its shared part refers to is found out, though the part was proved for another", () => {
  const { snapshot } = build(readExample(new URL("../../../manifests/examples/canary.yaml", import.meta.url).pathname));
  const proxy = snapshot.get("branch/teller-1");
  if (proxy === undefined) throw new Error("the example has no such proxy");
  expect(checkProxy(proxy)).toEqual([]);
  const resources = new Map(proxy.resources).set(ROUTE_TYPE_URL, new Map());
  expect(checkProxy({ ...proxy, resources }).map(({ missing }) => missing)).toEqual([
    { typeUrl: ROUTE_TYPE_URL, name: "outbound/models/digits/80" },
  ]);
});
