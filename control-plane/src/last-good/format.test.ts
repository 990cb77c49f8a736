import { parseFile, readObject } from "@hedgerow/manifest";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeLastGood, encodeLastGood } from "./format.ts";
import { mergeLastGood } from "./merge.ts";
import { nothingGood } from "./source-view.ts";

const text = `# the mesh
apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: bank.ae}
---
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}   # größer
spec:
  selector: {app: digits}
  ports:
    - port: 80
`;
const view = mergeLastGood(nothingGood, {
  files: [{ file: "x/y.yaml", ...parseFile("x/y.yaml", text) }],
  unsettled: new Set(),
});

describe("the last good set", () => {
  test("comes back as it was: objects, texts, positions, generations", () => {
    const generations = new Map([...view.generations.keys()].map((key, index) => [key, index + 5] as const));
    const { lastGood, problems } = decodeLastGood(encodeLastGood({ objects: view.objects, generations }));
    expect(problems).toEqual([]);
    expect(lastGood.generations).toEqual(generations);
    expect(lastGood.objects.map(({ manifest, text, file, line }) => ({ manifest, text, file, line }))).toEqual(
      view.objects.map(({ manifest, text, file, line }) => ({ manifest, text, file, line })),
    );
    const [, service] = lastGood.objects;
    expect(service?.positionOf(["spec", "ports", 0, "port"])).toEqual({ file: "x/y.yaml", line: 13, column: 13 });
  });

  test("of an API server has no lines, before and after", () => {
    const file = "MeshConfig/hedgerow-system/mesh";
    const { object } = readObject(
      {
        apiVersion: "hedgerow.dev/v1alpha1",
        kind: "MeshConfig",
        metadata: { name: "mesh", uid: "u" },
        spec: { trustDomain: "bank.ae" },
      },
      file,
    );
    if (object === undefined) throw new Error("the object is valid");
    const { lastGood, problems } = decodeLastGood(encodeLastGood({ objects: [object], generations: new Map() }));
    expect(problems).toEqual([]);
    const [again] = lastGood.objects;
    expect([again?.manifest, again?.text, again?.line]).toEqual([object.manifest, object.text, 0]);
    expect(again?.positionOf(["spec"])).toEqual({ file, line: 0, column: 0 });
  });

  test("that is damaged is said to be, and is nothing", () => {
    for (const damaged of ["", "{}", "[1]", encodeLastGood(view).slice(0, 100), "null"])
      expect(decodeLastGood(damaged)).toEqual({
        lastGood: nothingGood,
        problems: ["not a file of last good manifests"],
      });
  });

  test("loses only what is not valid any more, by name", () => {
    const older = encodeLastGood(view).replace("trustDomain", "domain");
    const { lastGood, problems } = decodeLastGood(older);
    expect(lastGood.objects.map(({ manifest }) => manifest.kind)).toEqual(["Service"]);
    expect(problems).toEqual([
      "x/y.yaml:5:1: missing field spec.trustDomain",
      "x/y.yaml:5:8: unknown field spec.domain; known here: trustDomain, identity, mtls, outbound, access",
    ]);
  });

  test("never throws, whatever is in its file", () => {
    const entry = fc.record({ file: fc.string(), line: fc.integer(), generation: fc.integer(), text: fc.string() });
    const ours = fc.array(entry).map((objects) => JSON.stringify({ format: "hedgerow-last-good/1", objects }));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), ours), (text) => {
        expect(() => decodeLastGood(text)).not.toThrow();
      }),
    );
  });
});
