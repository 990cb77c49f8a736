import { expect, test } from "vitest";
import { type NamedService, type NamedSlice, resolve } from "./names.ts";

const services = new Map<string, NamedService>(
  [
    { key: "web.shop", clusterIP: "10.96.1.1" },
    { key: "db.shop", clusterIP: "None" },
    { key: "idle.shop", clusterIP: "None" },
    { key: "outside.shop", clusterIP: undefined },
  ].map((service) => [service.key, service]),
);
const slices: readonly NamedSlice[] = [
  { service: "db.shop", endpoints: [{ hostname: "db-0", addresses: ["10.244.0.5"] }] },
  { service: "db.shop", endpoints: [{ hostname: undefined, addresses: ["10.244.0.6"] }] },
  { service: "web.shop", endpoints: [{ hostname: undefined, addresses: ["10.244.0.7"] }] },
];

test.each([
  ["a Service by its address", "web.shop.svc.cluster.local", ["10.96.1.1"]],
  ["a headless Service by its pods", "db.shop.svc.cluster.local", ["10.244.0.5", "10.244.0.6"]],
  ["one pod of a headless Service", "db-0.db.shop.svc.cluster.local", ["10.244.0.5"]],
  ["a pod that is not there", "db-1.db.shop.svc.cluster.local", undefined],
  ["a headless Service without pods", "idle.shop.svc.cluster.local", undefined],
  ["a pod's name before a Service with an address", "a.web.shop.svc.cluster.local", undefined],
  ["an external name", "outside.shop.svc.cluster.local", undefined],
  ["another namespace", "web.apps.svc.cluster.local", undefined],
  ["what a search path makes of a whole name", "web.shop.svc.cluster.local.shop.svc.cluster.local", undefined],
  ["a name with one label", "shop.svc.cluster.local", undefined],
  ["the world outside", "example.com", undefined],
])("%s", (_, name, addresses) => {
  expect(resolve(name, services, slices)).toEqual(addresses);
});
