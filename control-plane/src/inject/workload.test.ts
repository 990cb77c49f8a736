import { expect, it } from "vitest";
import { podPlaces } from "./workload.ts";

const places = (object: unknown) => podPlaces(object).map(({ owner, path }) => `${owner}: ${path.join(".")}`);
const metadata = { name: "api", namespace: "fraud" };

it.each([
  ["v1", "Pod", "pod fraud/api: "],
  ["v1", "PodTemplate", "podtemplate fraud/api: template"],
  ["v1", "ReplicationController", "replicationcontroller fraud/api: spec.template"],
  ["apps/v1", "Deployment", "deployment fraud/api: spec.template"],
  ["apps/v1", "StatefulSet", "statefulset fraud/api: spec.template"],
  ["apps/v1", "DaemonSet", "daemonset fraud/api: spec.template"],
  ["apps/v1", "ReplicaSet", "replicaset fraud/api: spec.template"],
  ["batch/v1", "Job", "job fraud/api: spec.template"],
  ["batch/v1", "CronJob", "cronjob fraud/api: spec.jobTemplate.spec.template"],
])("finds the pod of %s %s", (apiVersion, kind, place) => {
  expect(places({ apiVersion, kind, metadata })).toEqual([place]);
});

it("finds those in lists, of any kind", () => {
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x" } };
  const list = { apiVersion: "v1", kind: "List", items: [null, { apiVersion: "v1", kind: "Service" }, deployment] };
  expect(places({ apiVersion: "apps/v1", kind: "DeploymentList", items: [list] })).toEqual([
    "deployment x: items.0.items.2.spec.template",
  ]);
});

it.each([
  null,
  1,
  [],
  {},
  { kind: "Pod" },
  { apiVersion: "v2", kind: "Pod" },
  { apiVersion: "x", kind: "constructor" },
])("finds none in %j", (object) => {
  expect(places(object)).toEqual([]);
});

it("ends in lists without end", () => {
  const list: Record<string, unknown> = { apiVersion: "v1", kind: "List" };
  list["items"] = [list];
  expect(places(list)).toEqual([]);
});
