import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readService, type ServiceRecord } from "../../cluster/read-service.ts";
import { nothingGood } from "../../last-good/source-view.ts";
import { ManifestPart } from "./manifest-part.ts";
import { type CheckedKind, fileOf, readManifest } from "./read-manifest.ts";

const specs: Readonly<Record<string, unknown>> = {
  deny: { targetRefs: [{ kind: "Service", name: "digits" }], allow: [] },
  allow: {
    targetRefs: [{ kind: "Service", name: "digits" }],
    allow: [{ name: "app", from: [{ serviceAccount: "models/app" }] }],
  },
  broken: { targetRefs: [], allow: "everyone" },
};

function put(
  part: ManifestPart,
  kind: CheckedKind,
  name: string,
  spec: unknown,
  { generation = 1, ...metadata }: Readonly<Record<string, unknown>> = {},
): boolean {
  const key = `models/${name}`;
  const raw = { metadata: { namespace: "models", name, generation, ...metadata }, spec };
  const record = readManifest(kind, key, raw);
  if (record === undefined) throw new Error("not read");
  return part.put(fileOf(kind, key), record);
}
const putPolicy = (part: ManifestPart, spec: string, generation: number, metadata = {}): boolean =>
  put(part, "AccessPolicy", "digits", specs[spec], { generation, ...metadata });

function service(name: string, changes: Readonly<Record<string, unknown>> = {}): ServiceRecord {
  const read = readService({
    metadata: { namespace: "models", name, ...changes },
    spec: { selector: { app: name }, ports: [{ port: 80 }] },
  });
  if (read === undefined) throw new Error("no Service");
  return read;
}

const key = "AccessPolicy/models/digits";

describe("manifests of an API server", () => {
  test("are none at first", () => {
    expect(new ManifestPart(nothingGood).view()).toMatchObject({ objects: [], problems: [], neverGood: [] });
  });

  test("stand in the order of keys, with the generations that the server counts", () => {
    const part = new ManifestPart(nothingGood);
    part.putService(service("digits"));
    putPolicy(part, "allow", 7);
    put(part, "MeshConfig", "mesh", { trustDomain: "bank.ae" });
    const { objects, generations } = part.view();
    expect(objects.map(({ file }) => file)).toEqual([key, "MeshConfig/models/mesh", "Service/models/digits"]);
    expect([...generations]).toEqual([
      [key, 7],
      ["MeshConfig/models/mesh", 1],
      ["Service/models/digits", 1],
    ]);
  });

  test("that are not valid keep their last good version and its generation, and say what is wrong", () => {
    const part = new ManifestPart(nothingGood);
    putPolicy(part, "allow", 3);
    const good = part.view();
    putPolicy(part, "broken", 4);
    const bad = part.view();
    expect(bad.objects).toBe(good.objects);
    expect(bad.generations).toBe(good.generations);
    expect(bad.stale.get(key)).toEqual(bad.problems);
    expect(bad.problems[0]?.position).toEqual({ file: key, line: 0, column: 0 });
    putPolicy(part, "deny", 5);
    expect(part.view()).toMatchObject({ problems: [], stale: new Map(), generations: new Map([[key, 5]]) });
  });

  test("that never were valid are told apart", () => {
    const part = new ManifestPart(nothingGood);
    putPolicy(part, "broken", 1);
    expect(part.view()).toMatchObject({ objects: [], neverGood: [{ ref: { kind: "AccessPolicy", name: "digits" } }] });
    part.remove(key);
    expect(part.view()).toMatchObject({ objects: [], neverGood: [], problems: [] });
  });

  test("come back from an earlier run, where what is written now is not valid", () => {
    const earlier = new ManifestPart(nothingGood);
    putPolicy(earlier, "allow", 3);
    earlier.putService(service("digits"));
    earlier.view();
    expect(earlier.lastGood.objects.map(({ file }) => file)).toEqual([key]);
    const part = new ManifestPart(earlier.lastGood);
    putPolicy(part, "broken", 4);
    const { objects, generations, stale } = part.view();
    expect([objects.length, generations.get(key), stale.has(key)]).toEqual([1, 3, true]);
  });

  test("that were deleted are gone, last good or not", () => {
    const part = new ManifestPart(nothingGood);
    putPolicy(part, "allow", 1);
    part.view();
    expect(part.remove(key)).toBe(true);
    expect(part.remove(key)).toBe(false);
    expect(part.view().objects).toEqual([]);
  });

  test("whose status was written are what they were", () => {
    const part = new ManifestPart(nothingGood);
    putPolicy(part, "allow", 1, { resourceVersion: "1" });
    const before = part.view();
    expect(putPolicy(part, "allow", 1, { resourceVersion: "2", managedFields: [{ manager: "us" }] })).toBe(false);
    expect(part.view()).toBe(before);
  });

  test("of a new generation with the same content change generations alone", () => {
    const part = new ManifestPart(nothingGood);
    putPolicy(part, "allow", 1);
    const before = part.view();
    expect(putPolicy(part, "allow", 2)).toBe(true);
    const after = part.view();
    expect(after.objects).toBe(before.objects);
    expect(after.generations.get(key)).toBe(2);
  });

  test("that changed leave the others what they are", () => {
    const part = new ManifestPart(nothingGood);
    putPolicy(part, "allow", 1);
    part.putService(service("digits"));
    put(part, "AccessPolicy", "other", specs["deny"]);
    const before = part.view();
    putPolicy(part, "deny", 2);
    const after = part.view();
    expect(after.objects).not.toBe(before.objects);
    expect(after.objects.map((object, index) => object === before.objects[index])).toEqual([false, true, true]);
  });

  test("of Services count their own generations where the server counts none", () => {
    const part = new ManifestPart(nothingGood);
    const count = (): number | undefined => part.view().generations.get("Service/models/digits");
    part.putService(service("digits"));
    expect(count()).toBe(1);
    const before = part.view();
    part.putService(service("digits", { annotations: { note: "means nothing" } }));
    expect(part.view()).toBe(before);
    part.putService(service("digits", { labels: { team: "b" } }));
    expect(count()).toBe(2);
    part.putService(service("digits", { generation: 9 }));
    expect(count()).toBe(9);
    part.removeService("Service/models/digits");
    expect(count()).toBeUndefined();
  });

  test("do not depend on the order in which they come", () => {
    const names = ["a", "b", "c", "d"];
    fc.assert(
      fc.property(fc.shuffledSubarray(names, { minLength: 4 }), (order) => {
        const build = (sequence: readonly string[]): ReturnType<ManifestPart["view"]> => {
          const part = new ManifestPart(nothingGood);
          for (const name of sequence) {
            put(part, "AccessPolicy", name, specs[name === "b" ? "broken" : "allow"]);
            part.putService(service(name));
          }
          return part.view();
        };
        const shown = ({ objects, problems, neverGood, generations }: ReturnType<ManifestPart["view"]>): unknown => ({
          objects: objects.map(({ file, text }) => [file, text]),
          problems,
          neverGood,
          generations: [...generations],
        });
        expect(shown(build(order))).toEqual(shown(build(names)));
      }),
    );
  });
});

describe("an HTTPRoute", () => {
  const rules = [{ backendRefs: [{ name: "digits", port: 80 }] }];
  const service = { group: "", kind: "Service", name: "digits" };
  const gateway = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "front" };
  const route = (parentRefs: readonly unknown[]): ReturnType<typeof readManifest> =>
    readManifest("HTTPRoute", "models/r", {
      metadata: { namespace: "models", name: "r" },
      spec: { parentRefs, rules },
    });

  test.each([
    ["of Gateways alone", [gateway, { name: "front" }]],
    ["of nothing", []],
  ])("%s is none of ours", (_name, parents) => {
    expect(route(parents)).toBeUndefined();
  });

  test("of a Service and a Gateway is ours as far as the Service goes", () => {
    const read = route([gateway, service]);
    expect(read?.document.problems).toEqual([]);
    expect(read?.document.object?.manifest).toMatchObject({ spec: { parentRefs: [{ kind: "Service" }] } });
  });

  test("whatever it holds, reading it does not throw", () => {
    const spec = fc.record({
      parentRefs: fc.array(fc.oneof(fc.constant(service), fc.anything())),
      rules: fc.anything(),
    });
    fc.assert(
      fc.property(spec, fc.anything(), (spec, metadata) => {
        expect(() => readManifest("HTTPRoute", "models/r", { metadata, spec })).not.toThrow();
      }),
    );
  });
});
