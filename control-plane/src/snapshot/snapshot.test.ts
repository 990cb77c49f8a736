import { create } from "@bufbuild/protobuf";
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { describe, expect, test } from "vitest";
import { build, readExample } from "../../test/mesh.ts";
import { checkConsistency } from "./consistency.ts";
import { ResourceEncoder, type ResourceInput } from "./encode.ts";
import type { NodeId, Origin, ProxySnapshot } from "./snapshot.ts";
import { renderYaml } from "./yaml.ts";

const example = new URL("../../../manifests/examples/canary.yaml", import.meta.url).pathname;

/** The snapshot without one resource. */
function without(snapshot: ReadonlyMap<NodeId, ProxySnapshot>, nodeId: string, typeUrl: string, name: string) {
  const proxy = snapshot.get(nodeId);
  const resources = new Map([...(proxy?.resources ?? [])].map(([type, byName]) => [type, new Map(byName)]));
  expect([...resources].some(([type, byName]) => type === typeUrl && byName.delete(name))).toBe(true);
  return new Map([...snapshot, [nodeId, { nodeId, resources }]]);
}

describe("consistency", () => {
  const { snapshot } = build(readExample(example));
  test("holds for an empty mesh and for an example", () => {
    expect([checkConsistency(new Map()), checkConsistency(snapshot)]).toEqual([[], []]);
  });

  test.each([
    [ENDPOINT_TYPE_URL, "outbound/models/digits-v2/80", CLUSTER_TYPE_URL, "outbound/models/digits-v2/80"],
    [ROUTE_TYPE_URL, "outbound/models/digits/80", LISTENER_TYPE_URL, "outbound/models/digits/80"],
    [
      LISTENER_TYPE_URL,
      "outbound/models/digits/80",
      "type.googleapis.com/hedgerow.agent.v1.WorkloadConfig",
      "branch/teller-1",
    ],
  ])("names who misses %s", (typeUrl, name, byType, by) => {
    expect(checkConsistency(without(snapshot, "branch/teller-1", typeUrl, name))).toEqual([
      { nodeId: "branch/teller-1", resource: { typeUrl: byType, name: by }, missing: { typeUrl, name } },
    ]);
  });

  test("names the route and the assignment that miss a cluster", () => {
    const missing = { typeUrl: CLUSTER_TYPE_URL, name: "outbound/models/digits-v1/80" };
    const found = checkConsistency(without(snapshot, "branch/teller-1", missing.typeUrl, missing.name));
    expect(new Set(found.map(({ resource: { typeUrl, name } }) => `${typeUrl} ${name}`))).toEqual(
      new Set([`${ROUTE_TYPE_URL} outbound/models/digits/80`, `${ENDPOINT_TYPE_URL} ${missing.name}`]),
    );
  });
});

describe("an encoder", () => {
  const object = { kind: "Service", namespace: "n", name: "s" } as const;
  const origins: readonly Origin[] = [{ object, path: ["spec"] }];
  const cluster = (name: string, altStatName: string): ResourceInput<typeof ClusterSchema> => ({
    typeUrl: CLUSTER_TYPE_URL,
    name,
    schema: ClusterSchema,
    message: create(ClusterSchema, { name, altStatName }),
    origins,
  });

  test("gives equal content one object", () => {
    const encoder = new ResourceEncoder();
    expect(encoder.encode(cluster("a", "x"))).toBe(encoder.encode(cluster("a", "x")));
  });

  test("gives two contents of one name two versions", () => {
    const encoder = new ResourceEncoder();
    const [one, other] = [encoder.encode(cluster("a", "x")), encoder.encode(cluster("a", "y"))];
    expect(one.version).not.toBe(other.version);
    expect(one.encoded).not.toEqual(other.encoded);
  });

  test("gives one content the same version in every encoder, and a short one", () => {
    const versions = [1, 2].map(() => new ResourceEncoder().encode(cluster("a", "x")).version);
    expect(versions[0]).toBe(versions[1]);
    expect(versions[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("keeps the manifests of equal content apart, and drops repeats", () => {
    const encoder = new ResourceEncoder();
    const elsewhere: Origin = { object: { ...object, name: "t" }, path: ["spec"] };
    const one = encoder.encode({ ...cluster("a", "x"), origins: [...origins, ...origins] });
    const other = encoder.encode({ ...cluster("a", "x"), origins: [elsewhere] });
    expect([one.origins, other.origins]).toEqual([origins, [elsewhere]]);
    expect(other.encoded).toBe(one.encoded);
  });
});

test("YAML of a proxy shows the types that were asked for, sorted by name", () => {
  const proxy = build(readExample(example)).snapshot.get("branch/teller-1");
  const text = proxy ? renderYaml(proxy, ["endpoints", "workload-configs"]) : "";
  expect(text.match(/^\S.*|cluster_name: .*/gm)).toEqual([
    "endpoints:",
    "cluster_name: outbound/models/digits-v1/80",
    "cluster_name: outbound/models/digits-v2/80",
    "workload-configs:",
  ]);
});
