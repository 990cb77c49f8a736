import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { GetStatusResponseSchema } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { describe, expect, it } from "vitest";
import { isAllEffective, viewStatus } from "../admin/status-view.ts";
import { renderStatus } from "./status.ts";

type Init = MessageInitShape<typeof GetStatusResponseSchema>;
const view = (init: Init) => viewStatus(create(GetStatusResponseSchema, init));

const accepted = { type: "Accepted", status: "True", reason: "Accepted" };
const resolved = { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs" };
const policy = { kind: "AccessPolicy", namespace: "models", name: "digits" };

function screen(init: Init, columns?: number): string {
  return `\n${renderStatus(view(init), { columns })}`;
}

describe("renderStatus", () => {
  it("says what to do where the mesh is empty", () => {
    expect(screen({})).toBe(
      "\nNo manifests yet: put YAML files into the directory that the control plane reads (HEDGEROW_MANIFESTS).\n",
    );
  });

  it("says that all is in effect, sorted by kind and name", () => {
    const objects = [
      {
        kind: "Workload",
        namespace: "models",
        name: "digits-1",
        conditions: [accepted],
        proxiesTotal: 1,
        proxiesProgrammed: 1,
      },
      { ...policy, conditions: [accepted, resolved], proxiesTotal: 12, proxiesProgrammed: 12 },
      { kind: "MeshConfig", namespace: "default", name: "mesh", conditions: [accepted] },
    ];
    expect(screen({ objects })).toBe(`
POLICY                      EFFECTIVE  PROXIES  WHY
AccessPolicy/models/digits  yes        12/12
MeshConfig/default/mesh     yes        –
Workload/models/digits-1    yes        1/1

✓ 3 objects, all in effect
`);
  });

  const programmed = (message: string) => ({ type: "Programmed", status: "False", reason: "Rejected", message });
  const words = "fraud/fraud-api-7 rejected RouteConfiguration outbound/models/digits/80: invalid\nregex (and 1 more)";

  it("says why the first proxy lags, without the count that has its own column", () => {
    const conditions = [accepted, programmed(`10 of 12 proxies; access.yaml:14:9: ${words}`)];
    expect(screen({ objects: [{ ...policy, conditions, proxiesTotal: 12, proxiesProgrammed: 10 }] })).toBe(`
POLICY                      EFFECTIVE  PROXIES  WHY
AccessPolicy/models/digits  partly     10/12    access.yaml:14:9: fraud/fraud-api-7 rejected RouteConfiguration outbound/models/digits/80: invalid regex (and 1 more)

! 0 of 1 object in effect
`);
  });

  it("says first what is wrong with the manifest itself, or at least its reason", () => {
    const invalid = { type: "Accepted", status: "False", reason: "Invalid", message: "access.yaml:6:3: unknown field" };
    const refs = { type: "ResolvedRefs", status: "False", reason: "TargetNotFound" };
    const objects = [
      { ...policy, conditions: [programmed("0 of 1 proxy; x"), invalid], proxiesTotal: 1 },
      { ...policy, name: "other", conditions: [refs] },
    ];
    expect(screen({ objects })).toBe(`
POLICY                      EFFECTIVE  PROXIES  WHY
AccessPolicy/models/digits  no         0/1      access.yaml:6:3: unknown field
AccessPolicy/models/other   no         –        TargetNotFound

! 0 of 2 objects in effect
`);
  });

  it("wraps in a narrow terminal", () => {
    const conditions = [programmed(`0 of 2 proxies; access.yaml:14:9: ${words}`)];
    expect(screen({ objects: [{ ...policy, conditions, proxiesTotal: 2 }] }, 90)).toBe(`
POLICY                      EFFECTIVE  PROXIES  WHY
AccessPolicy/models/digits  no         0/2      access.yaml:14:9: fraud/fraud-api-7
                                                rejected RouteConfiguration
                                                outbound/models/digits/80: invalid regex
                                                (and 1 more)

! 0 of 1 object in effect
`);
  });

  it("moves the reason below a long name at 80 columns", () => {
    const name = "an-access-policy-with-a-rather-long-name";
    const message = "access.yaml:5:38: service models/digits-v3 not found";
    const refs = { type: "ResolvedRefs", status: "False", reason: "TargetNotFound", message };
    const object = { ...policy, name, conditions: [accepted, refs], proxiesTotal: 2, proxiesProgrammed: 2 };
    expect(screen({ objects: [object] }, 80)).toBe(`
POLICY                                                        EFFECTIVE  PROXIES
AccessPolicy/models/an-access-policy-with-a-rather-long-name  partly     2/2
    access.yaml:5:38: service models/digits-v3 not found

! 0 of 1 object in effect
`);
  });

  it("lists the problems of the source by place", () => {
    const problems = [
      { position: { file: "b.yaml", line: 10, column: 2 }, message: "unknown field" },
      { position: { file: "b.yaml", line: 9, column: 3 }, message: "missing field" },
      { position: { file: "a.yaml" }, message: "could not be read" },
    ];
    const objects = [{ ...policy, conditions: [accepted], proxiesTotal: 1, proxiesProgrammed: 1 }];
    expect(screen({ objects, problems })).toBe(`
POLICY                      EFFECTIVE  PROXIES  WHY
AccessPolicy/models/digits  yes        1/1

a.yaml: could not be read
b.yaml:9:3: missing field
b.yaml:10:2: unknown field

! 1 of 1 object in effect; 3 problems in the source: what was valid once keeps its last good version
`);
  });
});

describe("viewStatus", () => {
  const condition = (type: string, status: string) => ({ type, status, reason: "X" });
  it.each([
    ["nothing is said against it", "yes", [], 0, 0],
    ["every proxy runs it", "yes", [condition("Programmed", "True"), condition("Conflicted", "False")], 2, 2],
    ["some proxies run it", "partly", [condition("Programmed", "False")], 2, 1],
    ["no proxy runs it", "no", [condition("Programmed", "False")], 2, 0],
    ["it is refused, and its last good version runs everywhere", "no", [condition("Accepted", "False")], 2, 2],
    ["a reference leads nowhere and the rest runs", "partly", [condition("ResolvedRefs", "False")], 2, 2],
    ["its references lead nowhere", "no", [condition("ResolvedRefs", "False")], 0, 0],
    ["another policy has one of its targets", "partly", [condition("Conflicted", "True")], 2, 2],
    ["another policy has all its targets", "no", [condition("Conflicted", "True")], 0, 0],
    ["it is not known yet whether it runs", "no", [condition("Programmed", "Unknown")], 0, 0],
  ] as const)("when %s: %s", (_case, effective, conditions, proxiesTotal, proxiesProgrammed) => {
    const status = view({ objects: [{ ...policy, conditions: [...conditions], proxiesTotal, proxiesProgrammed }] });
    expect(status.objects[0]?.effective).toBe(effective);
    expect(isAllEffective(status)).toBe(effective === "yes");
  });

  it("is plain data that survives JSON", () => {
    const lastTransitionTime = { seconds: 1_795_514_400n, nanos: 5_000_000 };
    const object = { ...policy, observedGeneration: 3n, conditions: [{ ...accepted, lastTransitionTime }] };
    const status = view({ objects: [object], problems: [{ message: "m" }] });
    expect(JSON.parse(JSON.stringify(status))).toEqual(status);
    expect(status.objects[0]?.generation).toBe(3);
    expect(status.objects[0]?.conditions[0]?.lastTransitionTime).toBe("2026-11-24T10:00:00.005Z");
  });
});
