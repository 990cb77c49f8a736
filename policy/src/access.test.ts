import type { AccessPolicy } from "@hedgerow/manifest";
import { describe, expect, test } from "vitest";
import { allowAnyone, allowMesh, compileAccess, decide, denyAll } from "./access.ts";

type Rule = AccessPolicy["spec"]["allow"][number];

function policy(name: string, allow: readonly Rule[]): AccessPolicy {
  return {
    apiVersion: "hedgerow.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name, namespace: "models", labels: {}, annotations: {} },
    spec: { targetRefs: [{ group: "", kind: "Service", name: "digits" }], allow: [...allow] },
  };
}

const api = "spiffe://bank.ae/ns/fraud/sa/api";
const decided = (allow: readonly Rule[], path: string, spiffeId = api) =>
  decide([compileAccess(policy("digits", allow), "bank.ae")], { spiffeId, path });

describe("a principal", () => {
  test.each<[what: string, from: Rule["from"][number], spiffeId: string, allowed: boolean]>([
    ["a service account is itself", { serviceAccount: "fraud/api" }, api, true],
    ["a service account is no longer name", { serviceAccount: "fraud/api" }, `${api}-2`, false],
    ["a service account is of its namespace", { serviceAccount: "other/api" }, api, false],
    ["a service account is of its trust domain", { serviceAccount: "fraud/api" }, api.replace("bank", "tank"), false],
    ["a namespace is all its accounts", { namespace: "fraud" }, api, true],
    ["a namespace is no longer name", { namespace: "fra" }, api, false],
    ["a namespace is no admin", { namespace: "fraud" }, "spiffe://bank.ae/admin/operator/ada", false],
  ])("%s", (_, from, spiffeId, allowed) => {
    expect(decided([{ name: "r", from: [from] }], "/any", spiffeId).kind).toBe(allowed ? "allow" : "deny");
  });
});

const REST = "/v2/models/digits";
const RPC = "/inference.GRPCInferenceService";
describe("a method", () => {
  const paths = {
    infer: [`${RPC}/ModelInfer`, `${REST}/infer`, `${REST}/versions/3/infer`],
    metadata: [`${RPC}/ModelMetadata`, `${RPC}/ServerMetadata`, "/v2", REST, `${REST}/versions/3`],
    ready: [`${RPC}/ModelReady`, `${RPC}/ServerReady`, "/v2/health/ready", `${REST}/ready`, `${REST}/versions/3/ready`],
    live: [`${RPC}/ServerLive`, "/v2/health/live"],
  } as const;
  const others = [
    "/",
    "/v2/",
    `${REST}/`,
    `${REST}/infer/`,
    `/x${REST}/infer`,
    `${RPC}/modelInfer`,
    "/v2/models",
    "/v2/models//infer",
  ];
  const all = Object.entries(paths).flatMap(([method, of]) => of.map((path) => [method, path] as const));

  test.each(Object.keys(paths) as (keyof typeof paths)[])("%s is its own paths and no other", (method) => {
    const allowed = [...all.map(([, path]) => path), ...others].filter(
      (path) => decided([{ name: "r", from: [{ namespace: "fraud" }], methods: [method] }], path).kind === "allow",
    );
    expect(allowed).toEqual(paths[method]);
  });
});

describe("paths", () => {
  const from: Rule["from"] = [{ namespace: "fraud" }];
  test.each<[paths: string[] | undefined, methods: Rule["methods"], path: string, allowed: boolean]>([
    [["/x"], undefined, "/x", true],
    [["/x"], undefined, "/x/", false],
    [["/x"], undefined, "/X", false],
    [["/x*"], undefined, "/xyz", true],
    [["/x*"], undefined, "/y", false],
    [["/*"], undefined, "/", true],
    [["/a.c"], undefined, "/abc", false],
    [["/x"], ["live"], "/x", true],
    [["/x"], ["live"], "/v2/health/live", true],
    [["/x"], ["live"], "/y", false],
    [undefined, undefined, "/anything", true],
  ])("%j and methods %j: %s → %s", (paths, methods, path, allowed) => {
    const rule: Rule = { name: "r", from, ...(paths && { paths }), ...(methods && { methods }) };
    expect(decided([rule], path).kind).toBe(allowed ? "allow" : "deny");
  });
});

describe("of several policies", () => {
  const closed = compileAccess(policy("closed", []), "bank.ae");
  const open = compileAccess(policy("open", [{ name: "all", from: [{ namespace: "fraud" }] }]), "bank.ae", 7);
  const request = { spiffeId: api, path: "/x" };
  test("none allows nothing", () => expect(decide([], request)).toEqual({ kind: "deny" }));
  test("an empty one allows nothing", () => expect(decide([closed], request)).toEqual({ kind: "deny" }));
  test("one that allows is enough, and is named with its generation", () =>
    expect(decide([closed, open], request)).toEqual({
      kind: "allow",
      policy: "models/open",
      generation: 7,
      rule: "all",
    }));
  test("the mesh's default lets workloads of its trust domain in", () => {
    expect(decide([allowMesh("default allow", "bank.ae")], request).kind).toBe("allow");
    expect(decide([allowMesh("default allow", "bank")], request).kind).toBe("deny");
    expect(decide([allowMesh("default allow", "bank.ae")], { ...request, spiffeId: "" }).kind).toBe("deny");
    expect(decide([denyAll("default deny")], request).kind).toBe("deny");
  });
  test("only one that lets in anyone lets in a caller without an identity", () => {
    const plain = { spiffeId: undefined, path: "/x" };
    expect(decide([open, allowMesh("default allow", "bank.ae")], plain).kind).toBe("deny");
    expect(decide([open, allowAnyone("default allow")], plain).kind).toBe("allow");
  });
});
