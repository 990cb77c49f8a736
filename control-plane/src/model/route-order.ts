import type { RouteMatch } from "./model.ts";

/**
 * Which of two matches goes first, before age: exact path, longest prefix, regex (whose place the API leaves open); then
 * one with a method; then the one with more headers. Source: Gateway API v1, HTTPRouteRule `matches`.
 */
export function compareMatches(a: RouteMatch, b: RouteMatch): number {
  return (
    pathRank[a.path.type] - pathRank[b.path.type] ||
    prefixLength(b) - prefixLength(a) ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    b.headers.length - a.headers.length
  );
}

const pathRank = { Exact: 0, PathPrefix: 1, RegularExpression: 2 } as const;

// "/models" and "/models/" are the same prefix.
function prefixLength({ path }: RouteMatch): number {
  return path.type === "PathPrefix" ? path.value.replace(/\/+$/, "").length : 0;
}
