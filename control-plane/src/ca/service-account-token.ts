// What a stranger's token claims to be, before anybody is asked whether it is.
import { TOKEN_AUDIENCE, TOKEN_TYPE } from "./token.ts";

function decodePart(part: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? "", "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    // Not even JSON: a token of nobody's.
    return {};
  }
}

/** Whether a compact JWS says that it is a join token; every other one is taken for a service account's. Never throws. */
export function claimsToBeJoinToken(token: string): boolean {
  return decodePart(token.split(".")[0])["typ"] === TOKEN_TYPE;
}

/**
 * Why asking the API server about this token would be in vain: it is no service-account token of a pod with our audience,
 * or has expired by its own words. Undefined: ask. Nothing in it can be believed yet. Never throws.
 */
export function hopelessServiceAccountToken(token: string, nowMs: number): string | undefined {
  const parts = token.split(".");
  const claims = decodePart(parts[1]);
  if (parts.length !== 3 || Object.keys(claims).length === 0) return "token is no JWT";
  const audiences = Array.isArray(claims["aud"]) ? claims["aud"] : [claims["aud"]];
  if (!audiences.includes(TOKEN_AUDIENCE)) return "token is for another audience";
  const kubernetes = claims["kubernetes.io"];
  if (typeof kubernetes !== "object" || kubernetes === null || !("pod" in kubernetes))
    return "token is not bound to a pod";
  const { exp } = claims;
  // A minute of grace: our clock may be the one that is wrong.
  return typeof exp === "number" && nowMs >= exp * 1000 + 60_000 ? "token has expired" : undefined;
}
