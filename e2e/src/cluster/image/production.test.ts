import { expect, test } from "vitest";
import { type LockedPackage, productionOf } from "./production.ts";

const locked: Readonly<Record<string, LockedPackage>> = {
  app: { dependencies: { "@our/wire": "*", left: "1" } },
  wire: { dependencies: { buffers: "2" } },
  "node_modules/@our/app": { link: true, resolved: "app" },
  "node_modules/@our/wire": { link: true, resolved: "wire" },
  "node_modules/left": { dependencies: { right: "2" }, optionalDependencies: { absent: "1" } },
  "node_modules/left/node_modules/right": {},
  "node_modules/right": {},
  "node_modules/buffers": { peerDependencies: { peer: "1", unwanted: "1" } },
  "node_modules/peer": { dependencies: { left: "1" } },
  "node_modules/only-for-tests": {},
};

test("follows links to workspaces, nested packages, peers that are there, and circles", () => {
  expect(productionOf("app", locked)).toEqual({
    workspaces: ["app", "wire"],
    packages: [
      "node_modules/buffers",
      "node_modules/left",
      "node_modules/left/node_modules/right",
      "node_modules/peer",
    ],
  });
});

test("a dependency that the lockfile lacks is an error", () => {
  expect(() => productionOf("app", { app: { dependencies: { gone: "1" } } })).toThrow("app depends on gone");
});
