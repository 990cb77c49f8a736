import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readEndpointSlice } from "./read-endpoint-slice.ts";
import { readNamespace, readRegion } from "./read-metadata.ts";
import { readPod } from "./read-pod.ts";
import { readService } from "./read-service.ts";

/** Trees in which the fields that are read stand often, with anything in them. */
const names =
  "metadata name namespace uid labels annotations generation deletionTimestamp spec containers initContainers ports \
containerPort port protocol selector clusterIPs status phase podIP endpoints addresses conditions ready targetRef kind \
addressType hedgerow.dev/drain hedgerow.dev/mtls kubernetes.io/service-name __proto__ constructor type".split(" ");
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.oneof(fc.constantFrom("IPv4", "Pod", "TCP", "None", 80, null, true), fc.string(), fc.integer(), fc.double()),
    fc.dictionary(fc.constantFrom(...names), tie("tree"), { maxKeys: 8 }),
    fc.array(tie("tree"), { maxLength: 4 }),
  ),
}));
const object = fc.record(
  {
    metadata: fc.record({
      namespace: fc.oneof(fc.constant("n"), tree),
      name: fc.oneof(fc.constant("x"), tree),
      uid: fc.constant("u"),
      labels: fc.oneof(fc.constant({ "kubernetes.io/service-name": "s" }), tree),
      annotations: tree,
    }),
    addressType: fc.constantFrom("IPv4", "IPv6"),
    spec: tree,
    status: tree,
    ports: tree,
    endpoints: tree,
  },
  { requiredKeys: [] },
);

describe("whatever an object holds", () => {
  test.each([
    ["pod", readPod],
    ["Service", readService],
    ["EndpointSlice", readEndpointSlice],
    ["Namespace", readNamespace],
    ["Node", readRegion],
  ])("reading it as a %s does not throw", (_name, read) => {
    fc.assert(
      fc.property(fc.oneof(object, tree, fc.anything()), (raw) => {
        expect(() => read(raw)).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });

  test("labels of odd names change no prototype", () => {
    const raw: unknown = JSON.parse(
      '{"metadata":{"namespace":"n","name":"x","labels":{"__proto__":"y","a":"b"}},"spec":{}}',
    );
    const labels = readService(raw)?.object.manifest.metadata.labels;
    expect(labels).toEqual({ a: "b" });
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
  });

  test.each([
    ["strict", "strict"],
    ["permissive", "permissive"],
    ["off", undefined],
    [undefined, undefined],
  ])("a Namespace labelled %s", (label, mtls) => {
    const labels = label === undefined ? {} : { "hedgerow.dev/mtls": label };
    expect(readNamespace({ metadata: { name: "n", labels } })).toEqual({ name: "n", mtls });
  });
});
