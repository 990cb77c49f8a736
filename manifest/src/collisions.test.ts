import { expect, test } from "vitest";
import { checkObjects, formatProblem, parseManifests } from "./index.ts";

function check(...files: readonly string[]): readonly string[] {
  const parsed = files.map((text, index) => parseManifests(`${index}.yaml`, text));
  expect(parsed.flatMap(({ problems }) => problems)).toEqual([]);
  return checkObjects(parsed.flatMap(({ objects }) => objects)).map((problem) => formatProblem(problem));
}

function workload(name: string, inboundPort: number, address = "10.0.0.1"): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}}
spec:
  serviceAccount: sa
  address: ${address}
  inbound: [{port: ${inboundPort}, appPort: 80, protocol: grpc}]
`;
}

function meshConfig(namespace: string): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh, namespace: ${namespace}}
spec: {trustDomain: bank.ae}
`;
}

test.each<[name: string, files: readonly string[], problems: readonly string[]]>([
  ["nothing in no objects", [], []],
  ["different objects", [workload("a", 1), workload("b", 2), workload("c", 1, "10.0.0.2"), meshConfig("default")], []],
  [
    "one object in two files: both places are named",
    [workload("a", 1), `---\n\n${workload("a", 1)}`],
    ["1.yaml:5:18: Workload/default/a is already written at 0.yaml:3:18"],
  ],
  [
    "a second MeshConfig in another namespace",
    [meshConfig("default"), meshConfig("other")],
    ["1.yaml:2:7: only one MeshConfig may exist; the other is at 0.yaml:2:7"],
  ],
  [
    "two sidecars on one port of one address",
    [workload("a", 1), workload("b", 1)],
    ["1.yaml:7:20: 10.0.0.1:1 already belongs to the Workload at 0.yaml:7:20"],
  ],
  [
    "what gave way takes nothing from those after it",
    [workload("a", 1), `${workload("a", 2)}---\n${workload("b", 2)}`],
    ["1.yaml:3:18: Workload/default/a is already written at 0.yaml:3:18"],
  ],
])("%s", (_name, files, problems) => {
  expect(check(...files)).toEqual(problems);
});
