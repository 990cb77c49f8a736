import { describe, expect, it } from "vitest";
import { formatPosition } from "../screen/problems.ts";
import { checkManifests, trustDomainOf, workloadIds } from "./check.ts";

const mesh = `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: bank.example}
`;
const workload = `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models, labels: {app: digits}}
spec: {serviceAccount: digits, address: 10.0.0.1, inbound: [{port: 8443, appPort: 8080, protocol: grpc}]}
`;
const policy = `apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec:
  targetRefs: [{kind: Service, name: digits}]
  allow: []
`;
const service = `apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: 8080}]}
`;

function check(...texts: string[]) {
  const checked = checkManifests(texts.map((text, index) => ({ file: `${"abc"[index]}.yaml`, text })));
  const shown = ({ position, message }: (typeof checked.warnings)[number] | (typeof checked.problems)[number]) =>
    `${formatPosition(position)}: ${message}`;
  return { ...checked, problems: checked.problems.map(shown), warnings: checked.warnings.map(shown) };
}

describe("checkManifests", () => {
  it("finds nothing wrong with nothing", () => {
    expect(check()).toMatchObject({ objects: [], problems: [], warnings: [] });
    expect(check("", "# only a comment\n")).toMatchObject({ objects: [], problems: [], warnings: [] });
  });

  it("finds nothing wrong with a mesh whose parts stand in different files", () => {
    const { objects, problems, warnings, model } = check(policy, [mesh, service].join("---\n"), workload);
    expect([problems, warnings]).toEqual([[], []]);
    expect([trustDomainOf(objects), workloadIds(objects)]).toEqual(["bank.example", ["models/digits-1"]]);
    expect(model.services.get("models/digits/80")?.endpoints.map(({ nodeId }) => nodeId)).toEqual(["models/digits-1"]);
  });

  it("warns of a reference that leads nowhere, at its place", () => {
    const { problems, warnings } = check(mesh, policy);
    expect(problems).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/^b\.yaml:5:3\d: .*digits.*not found/)]);
  });

  it("sorts the problems of all files by place, those between objects too", () => {
    const { problems, objects } = check(
      policy.replace("allow: []", "alow: []"),
      [service, service].join("---\n"),
      "kind: X\n",
    );
    expect(problems.map((line) => line.split(" ")[0])).toEqual(["a.yaml:6:3:", "b.yaml:8:18:", "c.yaml:1:7:"]);
    expect(objects).toHaveLength(1);
  });
});
