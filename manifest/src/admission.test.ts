import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseManifests, readObject, refusalText, reviewObject } from "./index.ts";

const invalid = new URL("../../manifests/examples/invalid/", import.meta.url);

/** As a webhook is handed what a person wrote. */
function valuesOf(text: string): readonly unknown[] {
  return parseAllDocuments(text).map((document): unknown => document.toJS());
}

function reviewText(text: string) {
  return reviewObject(valuesOf(text)[0]);
}

const policy = (allow: string) => `apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}], allow: ${allow}}
`;
const route = (spec: string) => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits, namespace: models}
spec: ${spec}
`;
const workload = (spec: string) => `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models}
spec: {serviceAccount: digits, ${spec}}
`;
const meshConfig = (spec: string) => `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: bank.ae${spec}}
`;
const audit = (spec: string) => `apiVersion: hedgerow.dev/v1alpha1
kind: AuditPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}]${spec}}
`;
const kept = "keys: {encryption: {secretName: key}}, sinks: [{name: share, file: {path: /mnt/audit}}]";
const strict = ", mtls: {mode: strict}, access: {default: deny}";

describe("what the command refuses is refused in the same words", () => {
  test.each(readdirSync(invalid).filter((name) => name.endsWith(".yaml")))("%s", (name) => {
    const text = readFileSync(new URL(name, invalid), "utf8");
    // A route that hangs on Gateways alone is another's business, and in a file of ours a mistake.
    const expected = text.includes("# refused in files:")
      ? []
      : parseManifests(name, text).problems.map(({ message }) => message);
    const { problems, warnings } = reviewText(text);
    expect(refusalText(problems)).toBe(expected.join("\n"));
    expect(warnings).toEqual([]);
  });
});

test("all problems are told at once, a line each", () => {
  const { problems } = reviewText(workload("address: here, region: A"));
  expect(refusalText(problems)).toBe(`spec.address must be an IPv4 or IPv6 address, not "here"
spec.region must be lower-case letters, digits and '-', starting and ending with a letter or digit, not "A"`);
});

test("as many problems as fit, and how many more there are", () => {
  const fields = Array.from({ length: 90 }, (_, index) => `wrong${index}: 1`).join(", ");
  const lines = refusalText(reviewText(meshConfig(`, ${fields}`)).problems).split("\n");
  expect(lines.join("\n").length).toBeLessThan(4200);
  expect(lines.at(-1)).toBe(`and ${90 - (lines.length - 1)} more`);
});

describe("warnings", () => {
  test.each<[name: string, text: string, warnings: readonly string[]]>([
    ["none", meshConfig(strict), []],
    [
      "a mesh that is open",
      meshConfig(""),
      [
        "spec.mtls.mode is permissive: pods take plain text from callers without an identity",
        "spec.access.default is allow: a Service without an AccessPolicy takes calls from all of the mesh",
      ],
    ],
    ["certificates of 7 days", meshConfig(`${strict}, identity: {lifetime: 168h}`), []],
    [
      "certificates of more than 7 days",
      meshConfig(`${strict}, identity: {lifetime: 169h}`),
      ["spec.identity.lifetime is over 7 days: so long does a stolen key serve its thief"],
    ],
    ["a policy that allows nobody", policy("[]"), ["spec.allow is empty: nobody can call"]],
    [
      "a namespace that may do everything",
      policy(
        "[{name: a, from: [{namespace: b}, {serviceAccount: c/d}]}, {name: e, from: [{namespace: f}], methods: [infer]}]",
      ),
      ["spec.allow[0].from[0] allows a whole namespace everything: name service accounts, or methods"],
    ],
    [
      "every path",
      policy("[{name: a, from: [{serviceAccount: c/d}], methods: [infer], paths: [/v1/*, /*]}]"),
      ["spec.allow[0].paths[1] is every path, and so every method"],
    ],
    [
      "a route without weight",
      route(
        "{parentRefs: [{kind: Service, name: a}], rules: [{backendRefs: [{name: b, weight: 0}, {name: c, weight: 0}]}]}",
      ),
      ["spec.rules[0].backendRefs has weight 0 in all: every request is answered 500"],
    ],
    [
      "a backend and a parent written twice",
      route(
        "{parentRefs: [{kind: Service, name: a}, {kind: Service, name: a, port: 1}, {kind: Service, name: a}], rules: [{backendRefs: [{name: b, port: 80}, {name: b}, {name: b, port: 80}]}]}",
      ),
      [
        "spec.parentRefs[2] names a a second time",
        "spec.rules[0].backendRefs[2] names b:80 a second time: its weights add up",
      ],
    ],
    ["a ledger that is encrypted and copied", audit(`, ${kept}`), []],
    [
      "a ledger that is readable and nowhere else",
      audit(""),
      [
        "spec.keys has no encryption: who reads the disk reads the records",
        "spec.sinks is empty: records are where the sidecar is, and go with its disk",
      ],
    ],
    [
      "a ledger that may have gaps and keeps nothing",
      audit(`, failMode: open, retention: {keepYears: 0}, ${kept}`),
      [
        "spec.failMode is open: while records can't be written, nobody knows who asked",
        "spec.retention.keepYears is 0: records go as soon as their segment is closed",
      ],
    ],
    [
      "copies that whoever wrote them can delete",
      audit(
        ", keys: {encryption: {secretName: key}}, sinks: [{name: s, region: r, s3: {bucket: abc, credentials: {secretName: c}}}]",
      ),
      ["spec.sinks[0].s3.objectLock is none: who has the credentials can delete the copies"],
    ],
    [
      "a workload that is nowhere and does nothing",
      workload("address: 0.0.0.0, drain: 0s"),
      [
        "spec.address is 0.0.0.0: no sidecar reaches another there",
        "spec has neither inbound nor upstreams: it serves nothing and calls nothing",
        "spec.drain is 0s: calls in flight are cut when the sidecar stops",
      ],
    ],
  ])("%s", (_name, text, warnings) => {
    expect(reviewText(text)).toEqual({ problems: [], warnings });
  });

  test("are few and short", () => {
    const from = Array.from({ length: 64 }, () => "{namespace: a}").join(", ");
    const { warnings } = reviewText(policy(`[{name: a, from: [${from}]}]`));
    expect(warnings).toHaveLength(16);
    expect(warnings.at(-1)).toBe("49 more warnings: hedgerow validate");
    const long = "a".repeat(200);
    const backends = `[{name: ${long}}, {name: ${long}}]`;
    const [warning] = reviewText(
      route(`{parentRefs: [{kind: Service, name: a}], rules: [{backendRefs: ${backends}}]}`),
    ).warnings;
    expect(warning).toHaveLength(120);
  });
});

describe("a route", () => {
  const rules = "rules: [{backendRefs: [{name: b, wieght: 1}], filters: []}]";
  test("of Gateways alone is not our business", () => {
    expect(reviewText(route(`{parentRefs: [{name: a}], ${rules}}`))).toEqual({ problems: [], warnings: [] });
  });
  test("of a Service and a Gateway is, as far as it is the Service's", () => {
    const both = "parentRefs: [{name: gateway, sectionName: http}, {kind: Service, name: a}]";
    expect(reviewText(route(`{${both}, ${rules}}`)).problems.map(({ field }) => field)).toEqual([
      "spec.rules[0].backendRefs[0].wieght",
      "spec.rules[0].filters",
    ]);
  });
});

describe("beside what is in force", () => {
  const inForce = readObject(valuesOf(meshConfig(strict))[0], "MeshConfig/default/mesh").object;
  const catalog = inForce === undefined ? [] : [inForce];
  test("an edit of the same object passes", () => {
    expect(reviewObject(valuesOf(meshConfig(strict))[0], { catalog })).toEqual({ problems: [], warnings: [] });
  });
  test("what excludes it does not", () => {
    const [value] = valuesOf(meshConfig(strict).replace("name: mesh", "name: mesh, namespace: other"));
    expect(refusalText(reviewObject(value, { catalog }).problems)).toBe(
      "only one MeshConfig may exist; the other is at MeshConfig/default/mesh",
    );
  });
});

test("never throws, whatever the value", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (value) => {
      const text = refusalText(reviewObject(value).problems);
      // An object without a kind cannot pass, and nothing else comes out of this generator.
      expect(text).not.toBe("");
    }),
  );
});
