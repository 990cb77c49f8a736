import { expect, test } from "vitest";
import type { ReplicaReport } from "../status/replicas.ts";
import { ReadyElsewhere } from "./elsewhere.ts";

const report = (replica: string, ready: Readonly<Record<string, boolean>>): ReplicaReport => ({
  replica,
  connected: new Set(Object.keys(ready)),
  objects: new Map(),
  proxies: Object.entries(ready).map(([nodeId, isReady]) => ({
    nodeId,
    ready: isReady,
  })) as unknown as ReplicaReport["proxies"],
});

test("who is ready elsewhere, until its replica says otherwise, or is silent for 15 s", () => {
  const elsewhere = new ReadyElsewhere();
  expect(elsewhere.update([], 0)).toBe(false);
  expect(elsewhere.update([report("a", { "m/1": true, "m/2": false })], 0)).toBe(true);
  expect([...elsewhere.ready]).toEqual(["m/1"]);
  expect(elsewhere.update([report("a", { "m/1": true })], 1)).toBe(false);
  expect(elsewhere.update([report("a", { "m/1": false, "m/2": true })], 2)).toBe(true);
  expect([...elsewhere.ready]).toEqual(["m/2"]);
  expect(elsewhere.nextExpiryMs()).toBeUndefined();

  expect(elsewhere.update([], 1_000)).toBe(false);
  expect(elsewhere.nextExpiryMs()).toBe(16_000);
  expect(elsewhere.update([report("b", {})], 15_999)).toBe(false);
  expect(elsewhere.update([report("b", {})], 16_000)).toBe(true);
  expect([...elsewhere.ready]).toEqual([]);
});

test("an agent that came to another replica is believed there", () => {
  const elsewhere = new ReadyElsewhere();
  elsewhere.update([report("a", { "m/1": true }), report("b", {})], 0);
  elsewhere.update([report("b", { "m/1": true })], 1);
  expect(elsewhere.nextExpiryMs()).toBeUndefined();
  expect(elsewhere.update([report("b", { "m/1": false })], 2)).toBe(true);
});
