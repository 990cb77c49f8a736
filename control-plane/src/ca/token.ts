// Join tokens (ARCHITECTURE.md, "Join token"): what is in one. Signing and verifying the JWS is the authority's.
import type { NodeId } from "../snapshot/snapshot.ts";
import { splitNodeId, trustDomainId } from "./names.ts";

export const TOKEN_ALGORITHM = "ES256";
export const TOKEN_TYPE = "hedgerow-join+jwt";
/** Of every token that enrols, a service account's included. */
export const TOKEN_AUDIENCE = "hedgerow-enroll";
/** Bytes of the longest token that is read; ours take about 500. */
export const MAX_TOKEN_BYTES = 4096;
/** Milliseconds that a token may live. */
export const TOKEN_TTL_MS = { min: 1_000, max: 8760 * 3_600_000, singleUse: 3_600_000, reusable: 8760 * 3_600_000 };

export interface JoinClaims {
  /** spiffe://TRUST-DOMAIN */
  readonly iss: string;
  readonly aud: typeof TOKEN_AUDIENCE;
  readonly sub: NodeId;
  /** Unique; what is remembered once a single-use token is spent. */
  readonly jti: string;
  /** Unix seconds. */
  readonly iat: number;
  /** Unix seconds. */
  readonly exp: number;
  readonly reusable: boolean;
  /** The Workload's region; absent when it has none. */
  readonly region?: string;
  /** SHA-256 of each root's DER, hexadecimal. */
  readonly roots: readonly string[];
}

export function buildClaims(input: {
  readonly trustDomain: string;
  readonly nodeId: NodeId;
  readonly region: string | undefined;
  readonly jti: string;
  readonly nowMs: number;
  readonly ttlMs: number;
  readonly reusable: boolean;
  readonly roots: readonly string[];
}): JoinClaims {
  return {
    iss: trustDomainId(input.trustDomain),
    aud: TOKEN_AUDIENCE,
    sub: input.nodeId,
    jti: input.jti,
    iat: Math.floor(input.nowMs / 1000),
    // Rounded up, so that the shortest token lives at least its time.
    exp: Math.ceil((input.nowMs + input.ttlMs) / 1000),
    reusable: input.reusable,
    ...(input.region === undefined ? {} : { region: input.region }),
    roots: input.roots,
  };
}

export type ClaimsResult =
  | { readonly ok: true; readonly claims: JoinClaims }
  | {
      readonly ok: false /** Why, for the log; a caller is told no more than that the token is refused. */;
      readonly problem: string;
    };

/**
 * The claims of a token whose signature is ours, or what is wrong with them. `header` and `payload` are the JWS's, decoded.
 * A token is expired from the second of its `exp` on.
 */
export function checkClaims(
  header: Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  { trustDomain, nowMs }: { readonly trustDomain: string; readonly nowMs: number },
): ClaimsResult {
  const refuse = (problem: string): ClaimsResult => ({ ok: false, problem });
  const { iss, aud, sub, jti, iat, exp, reusable, region, roots } = payload;
  if (header["typ"] !== TOKEN_TYPE) return refuse("token is of another type");
  if (iss !== trustDomainId(trustDomain)) return refuse("token is of another issuer");
  if (aud !== TOKEN_AUDIENCE) return refuse("token is for another audience");
  if (typeof sub !== "string" || splitNodeId(sub) === undefined) return refuse("sub of the token is no node id");
  if (typeof jti !== "string" || !/^[A-Za-z0-9_-]{16,64}$/.test(jti)) return refuse("jti of the token is malformed");
  if (typeof iat !== "number" || typeof exp !== "number") return refuse("token lacks its times");
  if (nowMs >= exp * 1000) return refuse("token has expired");
  if (typeof reusable !== "boolean") return refuse("reusable of the token is no boolean");
  if (region !== undefined && typeof region !== "string") return refuse("region of the token is no string");
  if (!Array.isArray(roots) || !roots.every((root) => typeof root === "string"))
    return refuse("roots of the token are no strings");
  const claims = { iss, aud: TOKEN_AUDIENCE, sub, jti, iat, exp, reusable, roots } as const;
  return { ok: true, claims: region === undefined ? claims : { ...claims, region } };
}
