import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ObjectLedger } from "./object-ledger.ts";
import { isOlder } from "./resource-version.ts";
import type { RawObject } from "./watch-event.ts";

/** A world of objects, of which every third means nothing here; versions count up over all of them. */
class World {
  readonly objects = new Map<string, RawObject>();
  #version = 0;

  put(key: string, value: number): RawObject {
    const object = { key, resourceVersion: String(++this.#version), raw: { value } };
    this.objects.set(key, object);
    return object;
  }

  remove(key: string): RawObject | undefined {
    const object = this.objects.get(key);
    this.objects.delete(key);
    return object && { ...object, resourceVersion: String(++this.#version) };
  }

  shown(): readonly (readonly [string, unknown])[] {
    return [...this.objects].flatMap(([key, { raw }]) => (kept(raw["value"]) ? [[key, raw["value"]] as const] : []));
  }
}

const kept = (value: unknown): boolean => typeof value === "number" && value % 3 !== 0;

function follow(): {
  readonly ledger: ObjectLedger<unknown>;
  readonly mirror: Map<string, unknown>;
  readonly told: string[];
} {
  const mirror = new Map<string, unknown>();
  const told: string[] = [];
  const ledger = new ObjectLedger<unknown>(
    ({ raw }) => (kept(raw["value"]) ? raw["value"] : undefined),
    (event) => {
      told.push(`${event.kind} ${event.key}`);
      if (event.kind === "put") mirror.set(event.key, event.value);
      else if (!mirror.delete(event.key)) throw new Error(`${event.key} was never told`);
    },
  );
  return { ledger, mirror, told };
}

function differencesOf(mirror: ReadonlyMap<string, unknown>, world: World): readonly string[] {
  const textOf = (entries: Iterable<readonly [string, unknown]>): string =>
    JSON.stringify([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  const [found, wanted] = [textOf(mirror), textOf(world.shown())];
  return found === wanted ? [] : [`${found} is not ${wanted}`];
}

const key = fc.constantFrom("n/a", "n/b", "n/c", "n/d");
const step = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key, value: fc.nat(9) }),
  fc.record({ kind: fc.constant("remove" as const), key }),
  fc.record({ kind: fc.constant("lost" as const), key, value: fc.nat(9) }),
  fc.record({ kind: fc.constant("list" as const), broken: fc.boolean() }),
  fc.record({ kind: fc.constant("again" as const), back: fc.nat(5) }),
);

describe("what is known", () => {
  test("is what there is, after whatever order of events, repetitions, lost events and lists", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = new World();
        const { ledger, mirror } = follow();
        const past: (() => void)[] = [];
        const differences: string[] = [];
        const happen = (event: () => void): void => {
          past.push(event);
          event();
        };
        const relist = (): void => {
          ledger.startList();
          ledger.listed([...world.objects.values()]);
          ledger.endList();
        };
        for (const one of steps) {
          if (one.kind === "put") {
            const object = world.put(one.key, one.value);
            happen(() => ledger.put(object));
          } else if (one.kind === "remove") {
            const object = world.remove(one.key);
            if (object !== undefined) happen(() => ledger.delete(object));
          } else if (one.kind === "lost") world.put(one.key, one.value);
          else if (one.kind === "again") past.slice(-1 - one.back)[0]?.();
          else {
            if (one.broken) {
              ledger.startList();
              ledger.listed([...world.objects.values()].slice(0, 1));
            }
            relist();
            past.length = 0;
            differences.push(...differencesOf(mirror, world));
          }
        }
        relist();
        expect([...differences, ...differencesOf(mirror, world)]).toEqual([]);
      }),
    );
  });

  test("is told once: a list that brings nothing new says nothing", () => {
    const world = new World();
    const { ledger, told } = follow();
    for (let round = 0; round < 2; round++) {
      if (round === 0) for (const name of ["n/a", "n/b"]) world.put(name, 1);
      ledger.startList();
      ledger.listed([...world.objects.values()]);
      ledger.endList();
    }
    expect(told).toEqual(["put n/a", "put n/b"]);
  });

  test("goes back in time by a list alone: etcd was restored", () => {
    const { ledger, mirror } = follow();
    ledger.put({ key: "n/a", resourceVersion: "100", raw: { value: 1 } });
    ledger.put({ key: "n/a", resourceVersion: "50", raw: { value: 2 } });
    expect(mirror.get("n/a")).toBe(1);
    ledger.startList();
    ledger.listed([{ key: "n/a", resourceVersion: "50", raw: { value: 2 } }]);
    ledger.endList();
    expect(mirror.get("n/a")).toBe(2);
  });
});

describe("a version", () => {
  test.each([
    ["9", "10", true],
    ["10", "9", false],
    ["7", "7", false],
    ["9007199254740993", "9007199254740994", true],
    ["a", "10", false],
    ["9", "b", false],
  ])("%s is older than %s: %s", (a, b, older) => {
    expect(isOlder(a, b)).toBe(older);
  });
});
