import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL } from "@hedgerow/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isBad, SimulatedWorld, TYPES } from "../../test/simulated-peers.ts";

const name = fc.constantFrom("a", "b", "c");
const typeUrl = fc.constantFrom(...TYPES);
const goodVersion = fc.integer({ min: 1, max: 3 }).map(String);
const version = fc.oneof({ weight: 4, arbitrary: goodVersion }, { weight: 1, arbitrary: fc.constant("4!") });

type Operation = { readonly text: string; readonly run: (world: SimulatedWorld) => void };
// A function prints as its text alone, which is all that a counterexample needs.
const operation = (text: string, run: (world: SimulatedWorld) => void): Operation => ({
  text,
  run: Object.assign(run, { toString: () => "" }),
});

const editing = (versions: fc.Arbitrary<string>) =>
  fc.oneof(
    fc
      .tuple(typeUrl, name, versions)
      .map(([type, key, value]) =>
        operation(`set ${type} ${key}=${value}`, (world) => void world.controlPlane.content.get(type)?.set(key, value)),
      ),
    fc
      .tuple(typeUrl, name)
      .map(([type, key]) =>
        operation(`remove ${type} ${key}`, (world) => void world.controlPlane.content.get(type)?.delete(key)),
      ),
  );
const moving = fc.array(fc.nat(3), { maxLength: 30, size: "max" }).map((ways) =>
  operation(`move ${ways.join("")}`, (world) => {
    for (const way of ways) world.step(way);
  }),
);
const breaking = fc.constantFrom(
  operation("control plane down", (world) => world.setUpstream(false)),
  operation("control plane up", (world) => world.setUpstream(true)),
  operation("Envoy's stream breaks", (world) => world.setEnvoy(false)),
  operation("Envoy connects", (world) => world.setEnvoy(true)),
  operation("Envoy killed", (world) => world.killEnvoy()),
  operation("agent killed", (world) => world.killAgent()),
  operation("time passes", (world) => world.settle()),
);
const life = (versions: fc.Arbitrary<string>) =>
  fc.array(
    fc.oneof(
      { weight: 2, arbitrary: editing(versions) },
      { weight: 3, arbitrary: moving },
      { weight: 2, arbitrary: breaking },
    ),
    { maxLength: 40, size: "max" },
  );

function live(operations: readonly Operation[]): SimulatedWorld {
  const world = new SimulatedWorld();
  for (const { run } of operations) run(world);
  return world;
}

function comeToRest(world: SimulatedWorld): void {
  world.setUpstream(true);
  world.setEnvoy(true);
  world.run();
  world.settle();
  world.run();
}

test("whatever breaks on the way, Envoy ends up with what the control plane has, and every push is answered", () => {
  fc.assert(
    fc.property(life(goodVersion), (operations) => {
      const world = live(operations);
      comeToRest(world);
      const clusters = world.controlPlane.content.get(CLUSTER_TYPE_URL) ?? new Map<string, string>();
      const assignments = world.controlPlane.content.get(ENDPOINT_TYPE_URL) ?? new Map<string, string>();
      expect(Object.fromEntries(world.envoy.of(CLUSTER_TYPE_URL))).toEqual(Object.fromEntries(clusters));
      expect(Object.fromEntries(world.envoy.of(ENDPOINT_TYPE_URL))).toEqual(
        Object.fromEntries([...assignments].filter(([key]) => clusters.has(key))),
      );
      expect(world.controlPlane.allAnswered).toBe(true);
      expect(world.controlPlane.rejected).toEqual([]);
    }),
    { numRuns: 1_500 },
  );
});

test("refused versions never run, what is good beside them does, and the refusal names the resource", () => {
  fc.assert(
    fc.property(life(version), (operations) => {
      const world = live(operations);
      comeToRest(world);
      const clusters = world.controlPlane.content.get(CLUSTER_TYPE_URL) ?? new Map<string, string>();
      const good = [...clusters].filter(([, value]) => !isBad(value));
      for (const [key, value] of good) expect(world.envoy.of(CLUSTER_TYPE_URL).get(key)).toBe(value);
      for (const type of TYPES) for (const value of world.envoy.of(type).values()) expect(isBad(value)).toBe(false);
      expect(world.controlPlane.allAnswered).toBe(true);
      const named = new Set(world.controlPlane.rejected.flatMap((words) => words.match(/\b[abc](?=: )/gu) ?? []));
      const isEverBad = new Set(operations.filter(({ text }) => text.endsWith("!")).map(({ text }) => text.at(-4)));
      for (const key of named) expect(isEverBad).toContain(key);
    }),
    { numRuns: 1_500 },
  );
});

// An agent that starts when the control plane has already put a refused version in place of what Envoy runs never sees the
// content of the latter: of those two mishaps, each life has one.
test.each([
  ["good versions, and agents that die", life(goodVersion)],
  [
    "refused versions, and one agent",
    life(version).map((operations) => operations.filter(({ text }) => text !== "agent killed")),
  ],
])("a new Envoy without a control plane gets everything that was acknowledged: %s", (_, lives) => {
  fc.assert(
    fc.property(lives, (operations) => {
      const world = live(operations);
      comeToRest(world);
      const before = TYPES.map((type) => Object.fromEntries(world.envoy.of(type)));
      world.setUpstream(false);
      world.killEnvoy();
      world.setEnvoy(true);
      world.run();
      expect(TYPES.map((type) => Object.fromEntries(world.envoy.of(type)))).toEqual(before);
    }),
    { numRuns: 1_000 },
  );
});

test("a new agent without a control plane takes nothing from Envoy", () => {
  fc.assert(
    fc.property(life(goodVersion), fc.array(moving, { maxLength: 5 }), (operations, moves) => {
      const world = live(operations);
      world.killAgent();
      const before = TYPES.map((type) => Object.fromEntries(world.envoy.of(type)));
      world.setEnvoy(true);
      for (const { run } of moves) run(world);
      world.run();
      expect(TYPES.map((type) => Object.fromEntries(world.envoy.of(type)))).toEqual(before);
    }),
    { numRuns: 500 },
  );
});

test("no cluster is acknowledged upstream that no Envoy has acknowledged", () => {
  fc.assert(
    fc.property(life(version), (operations) => {
      const world = live(operations);
      for (const [key, value] of world.controlPlane.acknowledged.get(CLUSTER_TYPE_URL) ?? []) {
        expect(world.envoy.everRan).toContain(`${CLUSTER_TYPE_URL} ${key}=${value}`);
      }
    }),
    { numRuns: 1_000 },
  );
});
