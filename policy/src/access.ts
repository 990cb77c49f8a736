import type { AccessPolicy } from "@hedgerow/manifest";
import { inferencePaths } from "./inference-paths.ts";
import { namespaceIdPrefix, serviceAccountId, workloadIdPrefix } from "./spiffe-id.ts";
import { matchesText, type TextMatch } from "./text-match.ts";

/** One way in: a caller that any principal matches, on a path that any match holds for. */
export interface AccessRule {
  readonly name: string;
  /** On the caller's SPIFFE id. Undefined: every caller, whether it has one or not. */
  readonly principals: readonly TextMatch[] | undefined;
  /** On the path without its query, as Envoy normalises it. Undefined: every path. */
  readonly paths: readonly TextMatch[] | undefined;
}

/** An AccessPolicy in the form that is decided by: no names of the manifest, only ids and paths. */
export interface CompiledAccess {
  /** NAMESPACE/NAME of the AccessPolicy, or what stands in its place. Goes to logs, never to a caller. */
  readonly policy: string;
  /** Of the AccessPolicy. Undefined: of what stands in its place, or of an earlier version, which is no longer known. */
  readonly generation: number | undefined;
  readonly rules: readonly AccessRule[];
}

export interface AccessRequest {
  /** The URI SAN that TLS proved; undefined for a caller in plain text. */
  readonly spiffeId: string | undefined;
  /** Without query and fragment, normalised (RFC 3986 section 6, slashes merged). */
  readonly path: string;
}

export type AccessDecision =
  | {
      readonly kind: "allow";
      readonly policy: string;
      readonly generation: number | undefined;
      readonly rule: string;
    }
  | { readonly kind: "deny" };

export function compileAccess(
  { metadata, spec }: AccessPolicy,
  trustDomain: string,
  generation?: number,
): CompiledAccess {
  return {
    policy: `${metadata.namespace}/${metadata.name}`,
    generation,
    rules: spec.allow.map(({ name, from, methods, paths }) => ({
      name,
      principals: from.map((principal) => compilePrincipal(principal, trustDomain)),
      paths:
        methods === undefined && paths === undefined
          ? undefined
          : [...(methods ?? []).flatMap(inferencePaths), ...(paths ?? []).map(compilePath)],
    })),
  };
}

/** Lets in every workload of the trust domain; `policy` is its name in logs. */
export function allowMesh(policy: string, trustDomain: string): CompiledAccess {
  const principals: readonly TextMatch[] = [{ kind: "prefix", value: workloadIdPrefix(trustDomain) }];
  return { policy, generation: undefined, rules: [{ name: "mesh", principals, paths: undefined }] };
}

/** Lets in whoever can connect, in plain text too; `policy` is its name in logs. */
export function allowAnyone(policy: string): CompiledAccess {
  return { policy, generation: undefined, rules: [{ name: "anyone", principals: undefined, paths: undefined }] };
}

/** Lets nobody in; `policy` is its name in logs. */
export function denyAll(policy: string): CompiledAccess {
  return { policy, generation: undefined, rules: [] };
}

/** Allowed when any rule of any policy allows; the first that does is named. No policy: denied. */
export function decide(policies: readonly CompiledAccess[], request: AccessRequest): AccessDecision {
  const { spiffeId } = request;
  const isCaller = (principal: TextMatch) => spiffeId !== undefined && matchesText(principal, spiffeId);
  for (const { policy, generation, rules } of policies) {
    for (const { name, principals, paths } of rules) {
      if (principals !== undefined && !principals.some(isCaller)) continue;
      if (paths === undefined || paths.some((path) => matchesText(path, request.path)))
        return { kind: "allow", policy, generation, rule: name };
    }
  }
  return { kind: "deny" };
}

type Principal = AccessPolicy["spec"]["allow"][number]["from"][number];

function compilePrincipal(principal: Principal, trustDomain: string): TextMatch {
  if ("namespace" in principal) return { kind: "prefix", value: namespaceIdPrefix(trustDomain, principal.namespace) };
  const [namespace = "", serviceAccount = ""] = principal.serviceAccount.split("/");
  return { kind: "exact", value: serviceAccountId(trustDomain, namespace, serviceAccount) };
}

function compilePath(path: string): TextMatch {
  return path.endsWith("*") ? { kind: "prefix", value: path.slice(0, -1) } : { kind: "exact", value: path };
}
