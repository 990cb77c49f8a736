import { describe, expect, test } from "vitest";
import { isReserved, peerFromNames, splitNodeId, workloadDnsNames, workloadId } from "./names.ts";

const instance = "a.models.instance.hedgerow.internal";
const id = "spiffe://bank.example/ns/models/sa/digits";

describe("names that are nobody's", () => {
  test.each([
    ["no names", [], []],
    ["no instance", [id], []],
    ["two ids", [id, id], [instance]],
    ["two instances", [id], [instance, `b${instance}`]],
    ["an instance of another namespace", [id], ["a.other.instance.hedgerow.internal"]],
    ["an instance without a namespace", [id], ["a.instance.hedgerow.internal"]],
    ["an instance whose namespace is not its last label", [id], ["models.a.instance.hedgerow.internal"]],
    ["an instance with an empty label", [id], ["a..models.instance.hedgerow.internal"]],
    ["an instance with a longer name than a pod's", [id], [`${"a".repeat(254)}.models.instance.hedgerow.internal`]],
    ["two regions", [id], [instance, "eu.region.hedgerow.internal", "us.region.hedgerow.internal"]],
    ["another trust domain", ["spiffe://bank.example.org/ns/models/sa/digits"], [instance]],
    ["another scheme", ["https://bank.example/ns/models/sa/digits"], [instance]],
    ["the trust domain itself", ["spiffe://bank.example"], [instance]],
    ["a longer path", [`${id}/x`], [instance]],
    ["an empty service account", ["spiffe://bank.example/ns/models/sa/"], [instance]],
    ["an unknown role", ["spiffe://bank.example/admin/root/ada"], []],
    ["a role without a name", ["spiffe://bank.example/admin/viewer"], []],
    ["a role with a longer path", ["spiffe://bank.example/admin/viewer/ada/"], []],
    ["an inherited property as role", ["spiffe://bank.example/admin/constructor/ada"], []],
  ])("%s", (_, uris, dnsNames) => {
    expect(peerFromNames("bank.example", { uris, dnsNames })).toBeUndefined();
  });
});

test("other DNS names beside the attested ones change nothing", () => {
  expect(peerFromNames("bank.example", { uris: [id], dnsNames: ["www.example", instance] })).toMatchObject({
    nodeId: "models/a",
    region: undefined,
  });
});

test("a pod's name may hold dots, and so may its service account's", () => {
  const identity = { nodeId: "models/web-0.blue", serviceAccount: "model.server", region: "eu" };
  const uris = [workloadId("bank.example", identity)];
  expect(peerFromNames("bank.example", { uris, dnsNames: workloadDnsNames(identity) })).toMatchObject({
    nodeId: "models/web-0.blue",
    region: "eu",
    spiffeId: "spiffe://bank.example/ns/models/sa/model.server",
  });
});

test.each([
  ["models/a", { namespace: "models", name: "a" }],
  ["", undefined],
  ["models", undefined],
  ["models/a/b", undefined],
  ["models/a.b", { namespace: "models", name: "a.b" }],
  [`models/${"a".repeat(253)}`, { namespace: "models", name: "a".repeat(253) }],
  [`models/${"a".repeat(254)}`, undefined],
  ["mod.els/a", undefined],
  ["models/a..b", undefined],
  ["Models/a", undefined],
  ["/a", undefined],
])("node id %s", (nodeId, expected) => {
  expect(splitNodeId(nodeId)).toEqual(expected);
});

test("the control plane's own service account is reserved", () => {
  const identity = { nodeId: "hedgerow-system/x", serviceAccount: "control-plane", region: undefined };
  expect(isReserved(identity)).toBe(true);
  expect(isReserved({ ...identity, nodeId: "default/x" })).toBe(false);
  expect(isReserved({ ...identity, serviceAccount: "other" })).toBe(false);
});
