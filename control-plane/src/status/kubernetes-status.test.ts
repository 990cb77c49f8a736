import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { ObjectStatusInit } from "./describe-status.ts";
import { keepTimes, kubernetesStatus, routeParents } from "./kubernetes-status.ts";

const condition = (type: string, status: string, message = "") => ({
  type,
  status,
  reason: "Because",
  message,
  lastTransitionTime: timestampFromMs(1_700_000_000_999),
});
const good = [
  condition("Accepted", "True"),
  condition("ResolvedRefs", "True"),
  condition("Conflicted", "False"),
  condition("Programmed", "True"),
];
const object = (changes: ObjectStatusInit = {}): ObjectStatusInit => ({
  conditions: good,
  observedGeneration: 7n,
  proxiesTotal: 2,
  proxiesProgrammed: 2,
  ...changes,
});
const but = (type: string, status: string) => [...good.filter((one) => one.type !== type), condition(type, status)];

test("empty: what nobody needs and nothing is said of", () => {
  expect(kubernetesStatus({})).toEqual({
    observedGeneration: 1,
    effective: "yes",
    conditions: [],
    proxies: { total: 0, programmed: 0, summary: "0/0" },
    laggards: [],
  });
});

describe("effective", () => {
  test.each<[string, ObjectStatusInit, string]>([
    ["all is well", {}, "yes"],
    ["one proxy lags", { proxiesProgrammed: 1 }, "partly"],
    ["every proxy lags", { proxiesProgrammed: 0 }, "no"],
    ["it is not accepted", { conditions: but("Accepted", "False") }, "no"],
    ["a reference is missing", { conditions: but("ResolvedRefs", "False") }, "partly"],
    [
      "a reference is missing and no proxy needs it",
      { conditions: but("ResolvedRefs", "False"), proxiesTotal: 0, proxiesProgrammed: 0 },
      "no",
    ],
    ["it gave way", { conditions: but("Conflicted", "True") }, "partly"],
    ["it is not known whether it runs", { conditions: but("Programmed", "Unknown") }, "no"],
  ])("%s", (_, changes, expected) => {
    expect(kubernetesStatus(object(changes)).effective).toBe(expected);
  });
});

test("times are whole seconds, and texts are cut at characters", () => {
  const conditions = [condition("Accepted", "True", "é".repeat(3_000))];
  const laggards = [{ nodeId: "a/b", reason: "Pending", message: "é".repeat(300) }];
  const status = kubernetesStatus(object({ conditions, laggards }));
  expect(status.conditions[0]).toMatchObject({
    observedGeneration: 7,
    lastTransitionTime: "2023-11-14T22:13:20Z",
    message: "é".repeat(2_048),
  });
  expect(status.laggards[0]?.message).toBe("é".repeat(256));
});

test("a condition keeps the time that stands while its status does", () => {
  const [accepted] = kubernetesStatus(object()).conditions;
  if (accepted === undefined) throw new Error("no condition");
  const standing = { ...accepted, lastTransitionTime: "2020-01-01T00:00:00Z", message: "old" };
  expect(keepTimes([accepted], [standing])).toEqual([{ ...accepted, lastTransitionTime: "2020-01-01T00:00:00Z" }]);
  expect(keepTimes([accepted], [{ ...standing, status: "False" }])).toEqual([accepted]);
});

test("a route has an entry for each Service among its parents", () => {
  const parents = routeParents(object(), [
    { group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge" },
    { group: "", kind: "Service", name: "digits", port: 80, unknown: 1 },
    { kind: "Service", name: "other" },
    { group: "other", kind: "Service", name: "foreign" },
    "nonsense",
  ]);
  expect(parents.map(({ parentRef }) => parentRef)).toEqual([
    { group: "", kind: "Service", name: "digits", port: 80 },
    { kind: "Service", name: "other" },
  ]);
  expect(parents[0]?.conditions.map(({ type }) => type)).toEqual([
    "Accepted",
    "ResolvedRefs",
    "hedgerow.dev/Programmed",
  ]);
});
