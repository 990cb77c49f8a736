import { create } from "@bufbuild/protobuf";
import type { AccessRule, CompiledAccess, TextMatch } from "@hedgerow/policy";
import {
  type Permission,
  PermissionSchema,
  type Policy,
  PolicySchema,
  type Principal,
  PrincipalSchema,
  type RBAC,
  RBAC_Action,
  RBACSchema,
} from "@hedgerow/proto/envoy/config/rbac/v3/rbac";
import { compareText } from "../model/catalog.ts";
import { stringMatcher } from "./string-matcher.ts";

/** Name of the HTTP filter, and so the key of its configuration on a route. */
export const RBAC_FILTER = "envoy.filters.http.rbac";

/** Route metadata that tells the access log, never the caller, which policies govern. */
export const ACCESS_METADATA = "hedgerow.access";
export const ACCESS_METADATA_POLICY = "policy";

/** Allows exactly what `decide` of these policies allows; without any rule, nothing. */
export function rbac(access: readonly CompiledAccess[]): RBAC {
  const policies = new Map<string, Policy>();
  for (const { policy, rules } of access) {
    for (const rule of rules) {
      const name = `${policy}/${rule.name}`;
      // Nothing forbids two rules of one name; none may be lost.
      policies.set(policies.has(name) ? `${name}#${policies.size}` : name, rbacPolicy(rule));
    }
  }
  return create(RBACSchema, {
    action: RBAC_Action.ALLOW,
    policies: Object.fromEntries([...policies].toSorted(([a], [b]) => compareText(a, b))),
  });
}

function rbacPolicy({ principals, paths }: AccessRule): Policy {
  return create(PolicySchema, {
    principals:
      principals === undefined
        ? [create(PrincipalSchema, { identifier: { case: "any", value: true } })]
        : principals.map(principal),
    permissions:
      paths === undefined ? [create(PermissionSchema, { rule: { case: "any", value: true } })] : paths.map(permission),
  });
}

// Envoy compares with each URI SAN, then with DNS SANs and the subject: those are attested and never look like a SPIFFE id.
function principal(match: TextMatch): Principal {
  return create(PrincipalSchema, {
    identifier: { case: "authenticated", value: { principalName: stringMatcher(match) } },
  });
}

// The path of `url_path` is the normalised one, without query and fragment.
function permission(match: TextMatch): Permission {
  return create(PermissionSchema, {
    rule: { case: "urlPath", value: { rule: { case: "path", value: stringMatcher(match) } } },
  });
}
