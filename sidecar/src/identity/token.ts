import { decodeJwt, decodeProtectedHeader } from "jose";
import { z } from "zod";

/** `typ` of a join token; anything else in the file is a mistake. */
const TOKEN_TYPE = "hedgerow-join+jwt";

/** What the agent reads in its join token. Only the control plane can verify it; the agent merely believes its operator. */
export interface JoinToken {
  /** As it stands in the file; a secret. */
  readonly compact: string;
  readonly trustDomain: string;
  /** NAMESPACE/NAME of the Workload that this token enrols. */
  readonly nodeId: string;
  /** SHA-256 of each trusted root's DER, lower-case hexadecimal. */
  readonly rootDigests: ReadonlySet<string>;
  readonly expiresAtMs: number;
}

const claims = z.object({
  iss: z.string().regex(/^spiffe:\/\/[a-z0-9._-]{1,255}$/),
  sub: z.string().regex(/^[a-z0-9.-]{1,253}\/[a-z0-9.-]{1,253}$/),
  exp: z.number().positive(),
  roots: z
    .array(z.string().regex(/^[0-9a-fA-F]{64}$/))
    .min(1)
    .max(16),
});

/** Reads a join token without verifying it; surrounding white space is allowed, as files have it. */
export function decodeToken(
  text: string,
): { readonly ok: true; readonly value: JoinToken } | { readonly ok: false; readonly message: string } {
  const compact = text.trim();
  let payload: unknown;
  try {
    const { typ } = decodeProtectedHeader(compact);
    if (typ !== TOKEN_TYPE)
      return { ok: false, message: `token has typ ${JSON.stringify(typ)}, expected ${TOKEN_TYPE}` };
    payload = decodeJwt(compact);
  } catch {
    // The text may be a secret of another kind: it is not repeated.
    return { ok: false, message: "token is no compact JWS" };
  }
  const parsed = claims.safeParse(payload);
  if (!parsed.success) {
    const wrong = [...new Set(parsed.error.issues.map(({ path }) => String(path[0])))];
    return { ok: false, message: `token has missing or malformed claims: ${wrong.join(", ")}` };
  }
  const { iss, sub, exp, roots } = parsed.data;
  return {
    ok: true,
    value: {
      compact,
      trustDomain: iss.slice("spiffe://".length),
      nodeId: sub,
      rootDigests: new Set(roots.map((digest) => digest.toLowerCase())),
      expiresAtMs: exp * 1000,
    },
  };
}
