import { manifestSchemas } from "@hedgerow/manifest";
import { type AccessRequest, allowAnyone, allowMesh, compileAccess, decide, denyAll } from "@hedgerow/policy";
import type { Permission, Principal, RBAC } from "@hedgerow/proto/envoy/config/rbac/v3/rbac";
import { RBAC_Action } from "@hedgerow/proto/envoy/config/rbac/v3/rbac";
import type { StringMatcher } from "@hedgerow/proto/envoy/type/matcher/v3/string";
import fc from "fast-check";
import { expect, test } from "vitest";
import { accessRequest, allow } from "../../test/arbitrary-mesh.ts";
import { rbac } from "./rbac.ts";

// Envoy's RBAC as its documentation describes it, for what we use of it; anything else throws.
function matchesString({ matchPattern }: StringMatcher, text: string): boolean {
  switch (matchPattern.case) {
    case "exact":
      return text === matchPattern.value;
    case "prefix":
      return text.startsWith(matchPattern.value);
    case "safeRegex":
      return new RegExp(`^(?:${matchPattern.value.regex})$`).test(text);
    case "contains":
    case "custom":
    case "suffix":
    case undefined:
      throw new Error(`unexpected ${matchPattern.case}`);
  }
}

function matchesPrincipal({ identifier }: Principal, { spiffeId }: AccessRequest): boolean {
  if (identifier.case === "any") return identifier.value;
  const name = identifier.case === "authenticated" ? identifier.value.principalName : undefined;
  // Without a name it would mean everyone who has a certificate.
  if (name === undefined) throw new Error("a principal without a name");
  return spiffeId !== undefined && matchesString(name, spiffeId);
}

function matchesPermission({ rule }: Permission, { path }: AccessRequest): boolean {
  if (rule.case === "any") return rule.value;
  if (rule.case !== "urlPath" || rule.value.rule.case !== "path") throw new Error(`unexpected ${rule.case}`);
  return matchesString(rule.value.rule.value, path);
}

function allows({ action, policies }: RBAC, request: AccessRequest): boolean {
  expect(action).toBe(RBAC_Action.ALLOW);
  return Object.values(policies).some(
    ({ principals, permissions }) =>
      principals.some((principal) => matchesPrincipal(principal, request)) &&
      permissions.some((permission) => matchesPermission(permission, request)),
  );
}

const compiled = allow.map((rules) =>
  compileAccess(
    manifestSchemas.AccessPolicy.parse({
      apiVersion: "hedgerow.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "p", namespace: "n1" },
      spec: { targetRefs: [{ kind: "Service", name: "a" }], allow: rules },
    }),
    "bank.ae",
  ),
);
const policies = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: compiled },
    { weight: 2, arbitrary: fc.constantFrom(denyAll("x"), allowMesh("y", "bank.ae")) },
    fc.constant(allowAnyone("z")),
  ),
  { maxLength: 3 },
);

test("Envoy is told to allow exactly what the policies decide to allow", () => {
  const seen = { allow: 0, deny: 0 };
  fc.assert(
    fc.property(policies, fc.array(accessRequest, { minLength: 1, maxLength: 10 }), (access, requests) => {
      const projection = rbac(access);
      for (const request of requests) {
        const { kind } = decide(access, request);
        seen[kind]++;
        expect(allows(projection, request)).toBe(kind === "allow");
      }
    }),
    { numRuns: 300 },
  );
  // Requests that always got the same answer would have shown nothing.
  expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan(100);
});

test("no policy and an empty policy allow nothing", () => {
  for (const access of [[], [denyAll("x")]]) expect(rbac(access).policies).toEqual({});
});
