import { ROUTE_TYPE_URL } from "@hedgerow/proto";
import { expect, test } from "vitest";
import { build, readExample } from "../../test/mesh.ts";
import { type Refusal, SnapshotChecker } from "./checked.ts";
import type { MeshSnapshot, ProxySnapshot } from "./snapshot.ts";

const { snapshot } = build(readExample(new URL("../../../manifests/examples/canary.yaml", import.meta.url).pathname));
const [good, bad, broken] = [...snapshot.keys()];

/** One proxy misses its routes, and one cannot be translated. */
const flawed: MeshSnapshot = {
  size: snapshot.size,
  has: (nodeId) => snapshot.has(nodeId),
  keys: () => snapshot.keys(),
  get(nodeId) {
    if (nodeId === broken) throw new Error("no translation");
    const proxy = snapshot.get(nodeId);
    return nodeId === bad && proxy !== undefined ? dangling(proxy) : proxy;
  },
};
const known = new Map<string, ProxySnapshot>();
function dangling(proxy: ProxySnapshot): ProxySnapshot {
  const made = known.get(proxy.nodeId) ?? {
    ...proxy,
    resources: new Map(proxy.resources).set(ROUTE_TYPE_URL, new Map()),
  };
  known.set(proxy.nodeId, made);
  return made;
}

test("a proxy whose references dangle, or whose translation fails, has no snapshot; the others have theirs", () => {
  const refusals: Refusal[] = [];
  const checker = new SnapshotChecker((refusal) => refusals.push(refusal));
  const checked = checker.check(flawed);
  const all = () => [good, bad, broken].map((nodeId) => checked.get(nodeId ?? ""));
  expect(all()).toEqual([snapshot.get(good ?? ""), undefined, undefined]);
  expect(refusals.map(({ kind, nodeId }) => [kind, nodeId])).toEqual([
    ["inconsistent", bad],
    ["failed", broken],
  ]);
  // Once of each, however often it is asked for; and of what failed again with the next snapshot.
  all();
  checker.check(flawed).get(bad ?? "");
  checker.check(flawed).get(broken ?? "");
  expect(refusals.map(({ kind }) => kind)).toEqual(["inconsistent", "failed", "failed"]);
  expect([checked.size, checked.has(bad ?? ""), [...checked.keys()]]).toEqual([
    snapshot.size,
    true,
    [...snapshot.keys()],
  ]);
});
