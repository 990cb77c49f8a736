import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatProblem, parseFile, parseManifests } from "./index.ts";
import { defaultParseLimits } from "./limits.ts";

const examples = new URL("../../manifests/examples/", import.meta.url);

/** What a person sees. */
function problemsOf(text: string): readonly string[] {
  return parseManifests("m.yaml", text).problems.map((problem) => formatProblem(problem));
}

function workload(spec: string): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: w}
spec:
  serviceAccount: sa
  address: 10.0.0.1
${spec}`;
}

function policy(allow: string): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  targetRefs: [{kind: Service, name: s}]
  allow:
${allow}`;
}

const meshConfig = `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: bank.ae}
`;

test("a file with three mistakes gives exactly three problems, each with its line and column", () => {
  const text = `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  trustDomian: bank.ae
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits, namespace: models}
spec:
  parentRefs: [{kind: Service, name: digits}]
  rules:
    - backendRefs:
        - {name: digits-v1, port: 80, weight: ninety}
        - {name: digits-v2, port: 80000, weight: 10}
`;
  expect(problemsOf(text)).toEqual([
    "m.yaml:5:3: unknown field spec.trustDomian; did you mean trustDomain?",
    'm.yaml:14:47: spec.rules[0].backendRefs[0].weight must be a number, not "ninety"',
    "m.yaml:15:35: spec.rules[0].backendRefs[1].port must be at most 65535, not 80000",
  ]);
});

describe("what is wrong with a document", () => {
  test.each<[name: string, text: string, problems: readonly string[]]>([
    ["nothing in an empty file", "", []],
    ["nothing in a file of comments", "# one\n---\n# two\n---\n", []],
    ["a byte order mark is no problem", `\uFEFF${meshConfig}`, []],
    ["windows line ends are no problem", meshConfig.replaceAll("\n", "\r\n"), []],
    [
      "a scalar",
      "hello",
      ['m.yaml:1:1: document must be a mapping with apiVersion, kind, metadata and spec, not "hello"'],
    ],
    ["no kind", "a: 1", ["m.yaml:1:1: missing field kind"]],
    ["a misspelt kind", "kind: Workloda", ['m.yaml:1:7: unknown kind "Workloda"; did you mean Workload?']],
    [
      "a kind of something else",
      "kind: Deployment",
      [
        'm.yaml:1:7: unknown kind "Deployment"; known kinds: MeshConfig, Workload, Service, HTTPRoute, AccessPolicy, AuditPolicy, TrafficPolicy',
      ],
    ],
    [
      "a kind named as an object's own method",
      "kind: toString",
      [
        'm.yaml:1:7: unknown kind "toString"; known kinds: MeshConfig, Workload, Service, HTTPRoute, AccessPolicy, AuditPolicy, TrafficPolicy',
      ],
    ],
    [
      "another version",
      meshConfig.replace("v1alpha1", "v1"),
      ['m.yaml:1:13: apiVersion must be "hedgerow.dev/v1alpha1", not "hedgerow.dev/v1"'],
    ],
    [
      "a missing spec",
      "apiVersion: hedgerow.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\n",
      ["m.yaml:1:1: missing field spec"],
    ],
    [
      "a missing field points at the nearest that is written",
      meshConfig.replace("trustDomain: bank.ae", ""),
      ["m.yaml:4:1: missing field spec.trustDomain"],
    ],
    [
      "an empty field is not taken as left out",
      policy("    - name: a\n      from: [{namespace: n}]\n      methods:\n"),
      ["m.yaml:9:7: spec.allow[0].methods is empty; give it a value or leave the field out"],
    ],
    [
      "a number where text belongs",
      workload("  region: 5\n"),
      ["m.yaml:7:11: spec.region must be text, not 5; put it in quotes"],
    ],
    [
      "a bad address",
      workload("").replace("10.0.0.1", "10.0.0.300"),
      ['m.yaml:6:12: spec.address must be an IPv4 or IPv6 address, not "10.0.0.300"'],
    ],
    [
      "no such choice",
      workload("  inbound: [{port: 1, appPort: 2, protocol: htttp2}]\n"),
      [
        'm.yaml:7:45: spec.inbound[0].protocol must be one of "http1", "http2", "grpc", not "htttp2"; did you mean http2?',
      ],
    ],
    [
      "a duration without a unit",
      workload("  drain: 5\n"),
      ["m.yaml:7:10: spec.drain must be text, not 5; put it in quotes"],
    ],
    [
      "a duration out of range",
      workload("  drain: 1h\n"),
      ['m.yaml:7:10: spec.drain must be from 0s to 10m, not "1h"'],
    ],
    [
      "two ports of one sidecar",
      workload(
        "  inbound: [{port: 1, appPort: 2, protocol: grpc}]\n  upstreams: [{service: a/b, localPort: 1}, {service: a/b, localPort: 2}]\n",
      ),
      [
        "m.yaml:8:41: spec.upstreams[0].localPort must differ from spec.inbound[0].port, which is 1 too",
        "m.yaml:8:71: spec.upstreams[1].localPort must differ from spec.inbound[0].appPort, which is 2 too",
      ],
    ],
    [
      "two inbound ports may lead to one application port",
      workload("  inbound: [{port: 1, appPort: 3, protocol: grpc}, {port: 2, appPort: 3, protocol: grpc}]\n"),
      [],
    ],
    [
      "a misspelt principal is one problem",
      policy("    - name: a\n      from: [{serviceAccuont: a/b}]\n"),
      ["m.yaml:8:15: unknown field spec.allow[0].from[0].serviceAccuont; did you mean serviceAccount?"],
    ],
    [
      "a principal that is two, and one that is none",
      policy("    - name: a\n      from: [{serviceAccount: a/b, namespace: c}, {}]\n"),
      [
        "m.yaml:8:14: spec.allow[0].from[0] must have exactly one of serviceAccount and namespace",
        "m.yaml:8:51: spec.allow[0].from[1] must have exactly one of serviceAccount and namespace",
      ],
    ],
    [
      "a field of a later version is an unknown field",
      policy("    - name: a\n      from: [{namespace: c}]\n      models: [m@1]\n"),
      ["m.yaml:9:7: unknown field spec.allow[0].models; known here: name, from, methods, paths"],
    ],
    [
      "a rule's name written twice",
      policy("    - {name: a, from: [{namespace: c}]}\n    - {name: a, from: [{namespace: d}]}\n"),
      ['m.yaml:8:14: spec.allow[1].name must differ from spec.allow[0].name, which is "a" too'],
    ],
    [
      "names that every object has",
      policy("    - {name: a, from: [{namespace: c}], constructor: 1, __proto__: 2}\n"),
      [
        "m.yaml:7:41: unknown field spec.allow[0].constructor; known here: name, from, methods, paths",
        "m.yaml:7:57: unknown field spec.allow[0].__proto__",
      ],
    ],
    [
      "a field written twice, and what else is wrong",
      `${meshConfig}kind: Service\nextra: 1\n`,
      [
        "m.yaml:5:1: field kind is written twice",
        "m.yaml:6:1: unknown field extra; known here: apiVersion, kind, metadata, spec",
      ],
    ],
    [
      "a label's name and value",
      meshConfig.replace("name: mesh", `name: mesh, labels: {${"k".repeat(318)}: v, a: "!"}`),
      [
        `m.yaml:3:33: metadata.labels["${"k".repeat(59)}…"] must be at most 317 characters long, not 318`,
        'm.yaml:3:359: metadata.labels.a must be a Kubernetes label value, not "!"',
      ],
    ],
    ["a tab", "kind: Workload\nspec:\n\ta: 1\n", ["m.yaml:3:1: a tab may not indent; use spaces"]],
    [
      "an open bracket",
      `${meshConfig}---\na: [b\n---\n${meshConfig}`,
      ["m.yaml:7:1: not YAML: flow sequence in block collection must be sufficiently indented and end with a ]"],
    ],
    [
      "an alias to nothing",
      meshConfig.replace("bank.ae", "*bank"),
      ["m.yaml:4:21: no anchor &bank stands before *bank; text that starts with * must be in quotes"],
    ],
    [
      "a tag",
      meshConfig.replace("bank.ae", "!env BANK"),
      ["m.yaml:4:21: tags (words that start with !) are not supported"],
    ],
    ["a key that is a list", "[a]: b", ["m.yaml:1:1: a field name must be a string"]],
  ])("%s", (_name, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe("what the API server writes is accepted", () => {
  test("a Service as kubectl prints it", () => {
    const text = `apiVersion: v1
kind: Service
metadata:
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
  creationTimestamp: "2026-11-24T10:00:00Z"
  labels: {app: digits}
  name: digits
  namespace: models
  resourceVersion: "812"
  uid: 1f1a3f6e-0d3b-4f0e-9e0b-1f1a3f6e0d3b
spec:
  clusterIP: 10.96.14.2
  clusterIPs: [10.96.14.2]
  internalTrafficPolicy: Cluster
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  ports:
  - {nodePort: 30123, port: 80, protocol: TCP, targetPort: 8080}
  selector: {app: digits}
  sessionAffinity: None
  type: NodePort
status: {loadBalancer: {}}
`;
    const { objects, problems } = parseManifests("s.yaml", text);
    expect(problems).toEqual([]);
    expect(objects.map(({ manifest }) => manifest)).toEqual([
      expect.objectContaining({
        spec: {
          type: "NodePort",
          selector: { app: "digits" },
          sessionAffinity: "None",
          internalTrafficPolicy: "Cluster",
          ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }],
        },
      }),
    ]);
  });

  test("a creationTimestamp of null is none", () => {
    expect(problemsOf(meshConfig.replace("name: mesh", "name: mesh, creationTimestamp: null"))).toEqual([]);
  });

  test("of alternatives the one of the type written is what is said to be wrong", () => {
    const service = (targetPort: string) =>
      `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {a: b}, ports: [{port: 1, targetPort: ${targetPort}}]}`;
    expect(problemsOf(service("70000"))).toEqual([
      "m.yaml:4:56: spec.ports[0].targetPort must be at most 65535, not 70000",
    ]);
    expect(problemsOf(service("Web"))).toEqual([
      `m.yaml:4:56: spec.ports[0].targetPort must be at most 15 lower-case letters, digits and '-', with a letter, not "Web"`,
    ]);
  });

  test("what would change a call is refused, not ignored", () => {
    const service =
      "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  selector: {a: b}\n  ports: [{port: 1}]\n";
    expect(problemsOf(`${service}  sessionAffinity: ClientIP\n`)).toEqual([
      'm.yaml:7:20: spec.sessionAffinity must be "None", not "ClientIP"',
    ]);
  });
});

describe("objects", () => {
  const text = `# a mesh\n${meshConfig}---\n${workload("  upstreams:\n    - {service: a/b, localPort: 5}\n")}`;
  const [config, sidecar] = parseManifests("m.yaml", text).objects;

  test("know where each of their fields stands, or its nearest written ancestor", () => {
    const lines = (path: readonly (string | number)[]) => {
      const position = sidecar?.positionOf(path);
      return [position?.file, position?.line, position?.column];
    };
    expect(lines([])).toEqual(["m.yaml", 7, 1]);
    expect(lines(["spec"])).toEqual(["m.yaml", 10, 1]);
    expect(lines(["spec", "serviceAccount"])).toEqual(["m.yaml", 11, 19]);
    expect(lines(["spec", "upstreams", 0, "localPort"])).toEqual(["m.yaml", 14, 33]);
    expect(lines(["spec", "upstreams", 0, "port"])).toEqual(["m.yaml", 14, 7]);
    expect(lines(["spec", "inbound", 3, "port"])).toEqual(["m.yaml", 10, 1]);
  });

  test("carry the YAML that they can be read from again, at the same positions", () => {
    for (const object of [config, sidecar]) {
      if (object === undefined) throw new Error("both documents are valid");
      const [again] = parseManifests("m.yaml", "\n".repeat(object.line - 1) + object.text).objects;
      expect(again?.manifest).toEqual(object.manifest);
      expect(again?.text).toBe(object.text);
      expect(again?.line).toBe(object.line);
      expect(again?.positionOf(["spec", "trustDomain"])).toEqual(object.positionOf(["spec", "trustDomain"]));
    }
  });

  test("that are valid flow although others of the file are broken", () => {
    const broken = `${meshConfig}---\nkind: Workloda\n---\na: [b\n---\n${workload("")}`;
    const { documents } = parseFile("m.yaml", broken);
    expect(documents.map(({ object, ref }) => [object?.manifest.kind, ref?.name])).toEqual([
      ["MeshConfig", "mesh"],
      [undefined, undefined],
      [undefined, undefined],
      ["Workload", "w"],
    ]);
  });

  test("with a mistake in them still say which they are", () => {
    const { documents } = parseFile("m.yaml", workload("  regoin: x\n"));
    expect(documents[0]).toMatchObject({
      ref: { kind: "Workload", namespace: "default", name: "w" },
      object: undefined,
    });
  });
});

describe("limits", () => {
  const deep = (levels: number) => `spec: ${"[".repeat(levels)}${"]".repeat(levels)}`;
  test.each<[name: string, text: string, problem: string]>([
    ["bytes", `# ${"é".repeat(defaultParseLimits.bytes / 2)}`, "m.yaml: file has more than 1048576 bytes"],
    ["documents", "a: 1\n---\n".repeat(1001), "m.yaml:2000:1: file has more than 1000 documents"],
    ["depth", deep(64), "m.yaml:1:70: nested more than 64 levels deep"],
    ["depth, far beyond the stack", `[${"a b: ".repeat(200_000)}]`, "m.yaml:1:1: nested more than 64 levels deep"],
    ["an anchor inside itself", "a: &a [*a]", "m.yaml:1:8: nested more than 64 levels deep"],
    [
      "aliases of aliases",
      `a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(10)}]`).join("\n")}`,
      "m.yaml:1:34: document has more than 100000 values",
    ],
  ])("of %s", (_name, text, problem) => {
    expect(problemsOf(text)).toContain(problem);
  });

  test("of depth: what just fits is read", () => {
    expect(problemsOf(deep(63))).toEqual(["m.yaml:1:1: missing field kind"]);
  });

  test("of problems: the rest are counted", () => {
    const extra = Array.from({ length: 150 }, (_, index) => `x${index}: 1\n`).join("");
    const problems = problemsOf(`${meshConfig}${extra}`);
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toBe("m.yaml:1:1: 50 more problems in this document");
  });
});

describe("properties", () => {
  const token = fc.constantFrom(
    ..."apiVersion: |kind: |MeshConfig|metadata: |{|}|[|]|- |\n|  |---\n|...\n|&a |*a|!t |'|\"|# |%YAML 1.2\n|? |: |\t|~|null|1e9|__proto__: |v1|>\n|,|\uFEFF|\u0000|\r".split(
      "|",
    ),
    "|\n",
  );
  const yamlLike = fc.array(token, { maxLength: 60 }).map((parts) => parts.join(""));
  const mutated = fc
    .tuple(
      fc.constantFrom(
        ...readdirSync(examples)
          .filter((name) => name.endsWith(".yaml"))
          .map((name) => readFileSync(new URL(name, examples), "utf8")),
      ),
      fc.nat(),
      fc.nat({ max: 40 }),
      fc.string(),
    )
    .map(([text, at, cut, insert]) => {
      const start = at % text.length;
      return text.slice(0, start) + insert + text.slice(start + cut);
    });

  test.each([
    ["any text", fc.string({ unit: "binary", maxLength: 200 })],
    ["anything that looks like YAML", yamlLike],
    ["any mutation of a real manifest", mutated],
  ])("%s: never throws, and every problem has a position inside the text", (_name, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, (text) => {
        const lines = text.split("\n").length;
        const { documents, problems } = parseFile("f", text);
        for (const { position, message } of [...problems, ...documents.flatMap((document) => document.problems)]) {
          expect(position.line).toBeGreaterThan(0);
          expect(position.line).toBeLessThanOrEqual(lines);
          expect(position.column).toBeGreaterThan(0);
          expect(message).toMatch(/^[^A-Z\n][^\n]*[^.\n]$/);
        }
        for (const { object, problems } of documents) expect(object === undefined).toBe(problems.length > 0);
      }),
      { numRuns: 400 },
    );
  });

  test("every limit holds", () => {
    const limits = { bytes: 100, documents: 3, depth: 4, values: 20, problems: 2 };
    fc.assert(
      fc.property(yamlLike, (text) => {
        const { documents } = parseFile("f", text, limits);
        expect(documents.length).toBeLessThanOrEqual(limits.documents);
        for (const { problems } of documents) expect(problems.length).toBeLessThanOrEqual(limits.problems + 1);
      }),
      { numRuns: 400 },
    );
  });
});
