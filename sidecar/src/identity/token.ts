import type { Enrolment } from "../config.ts";

/** `typ` of a join token; anything else in its file is a mistake. */
const JOIN_TOKEN_TYPE = "hedgerow-join+jwt";
/** Audience of every token that enrols. */
const AUDIENCE = "hedgerow-enroll";
/** Limit of hedgerow.ca.v1.EnrollRequest.token, bytes. */
const MAX_BYTES = 4 * 1024;
const MAX_ROOTS = 16;

/** A token with what the agent must know to use it. Only the control plane can verify it; the agent merely believes its operator. */
export interface EnrolmentToken {
  readonly kind: Enrolment["kind"];
  /** As it stands in the file; a secret. */
  readonly compact: string;
  readonly trustDomain: string;
  /** NAMESPACE/NAME of the Workload or pod that this token enrols. */
  readonly nodeId: string;
  /** SHA-256 of each trusted root's DER, lower-case hexadecimal. */
  readonly rootDigests: ReadonlySet<string>;
  /** Undefined where the token does not say. */
  readonly expiresAtMs: number | undefined;
}

export type DecodedToken =
  | { readonly ok: true; readonly value: EnrolmentToken }
  | { readonly ok: false; readonly message: string };

type Claims = Readonly<Record<string, unknown>>;

/** Reads a token without verifying it; surrounding white space is allowed, as files have it. */
export function decodeToken(text: string, enrolment: Enrolment): DecodedToken {
  const compact = text.trim();
  // The text may be a secret of another kind: it is not repeated.
  if (compact.length > MAX_BYTES) return { ok: false, message: `token is over ${MAX_BYTES} bytes` };
  const parts = compact.split(".");
  const [header, claims] = parts.slice(0, 2).map(decodePart);
  if (parts.length !== 3 || header === undefined || claims === undefined) {
    return { ok: false, message: "token is no compact JWS" };
  }
  switch (enrolment.kind) {
    case "join_token":
      return readJoinToken(compact, header, claims);
    case "service_account":
      return readServiceAccountToken(compact, claims, enrolment);
  }
}

function readJoinToken(compact: string, { typ }: Claims, { iss, sub, exp, roots }: Claims): DecodedToken {
  if (typ !== JOIN_TOKEN_TYPE) {
    return { ok: false, message: `token has typ ${JSON.stringify(typ)}, expected ${JOIN_TOKEN_TYPE}` };
  }
  const trustDomain = typeof iss === "string" ? /^spiffe:\/\/([a-z0-9._-]{1,255})$/.exec(iss)?.[1] : undefined;
  const nodeId = typeof sub === "string" && /^[a-z0-9.-]{1,253}\/[a-z0-9.-]{1,253}$/.test(sub) ? sub : undefined;
  const expiresAtMs = typeof exp === "number" && exp > 0 ? exp * 1000 : undefined;
  const rootDigests = readDigests(roots);
  if (trustDomain === undefined || nodeId === undefined || expiresAtMs === undefined || rootDigests === undefined) {
    const found = { iss: trustDomain, sub: nodeId, exp: expiresAtMs, roots: rootDigests };
    const wrong = Object.entries(found).flatMap(([name, value]) => (value === undefined ? [name] : []));
    return { ok: false, message: `token has missing or malformed claims: ${wrong.join(", ")}` };
  }
  return { ok: true, value: { kind: "join_token", compact, trustDomain, nodeId, rootDigests, expiresAtMs } };
}

function readServiceAccountToken(
  compact: string,
  { aud, exp }: Claims,
  { nodeId, trustDomain, rootDigests }: Extract<Enrolment, { kind: "service_account" }>,
): DecodedToken {
  const audiences = Array.isArray(aud) ? aud : [aud];
  // Not even sent: whoever holds a token for another audience, the API server's say, can act as the pod there.
  if (!audiences.includes(AUDIENCE)) {
    const found = aud === undefined ? "no audience" : JSON.stringify(aud);
    return {
      ok: false,
      message: `token is for ${found}, expected ${AUDIENCE}: set the audience of the pod's projected token`,
    };
  }
  const expiresAtMs = typeof exp === "number" ? exp * 1000 : undefined;
  return { ok: true, value: { kind: "service_account", compact, trustDomain, nodeId, rootDigests, expiresAtMs } };
}

/** What its holder can do about a token that the control plane refused; a stranger is not told what is wrong with it. */
export function adviceAbout({ kind, expiresAtMs, nodeId }: EnrolmentToken, nowMs: number): string {
  const expired = expiresAtMs !== undefined && expiresAtMs <= nowMs ? new Date(expiresAtMs).toISOString() : undefined;
  switch (kind) {
    case "join_token": {
      const why = expired ? `it expired at ${expired}` : "it has been used, or is another control plane's";
      return `${why}; make another with hedgerow token create ${nodeId}`;
    }
    case "service_account":
      return expired
        ? `it expired at ${expired}, and the kubelet has not renewed it: are this node's kubelet and clock well?`
        : "the cluster does not know it: is the control plane of this cluster, and does the pod still exist?";
  }
}

function readDigests(roots: unknown): ReadonlySet<string> | undefined {
  if (!Array.isArray(roots) || roots.length === 0 || roots.length > MAX_ROOTS) return undefined;
  const digests = roots.filter((root): root is string => typeof root === "string" && /^[0-9a-fA-F]{64}$/.test(root));
  return digests.length === roots.length ? new Set(digests.map((digest) => digest.toLowerCase())) : undefined;
}

/** A header or the claims: a JSON object in base64url (RFC 7515 section 3.1). */
function decodePart(part: string): Claims | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
