import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";

/** JWA names of what follows (RFC 7518, 4.6 and 5.3): a key agreed for each payload, used as it is. */
const AGREEMENT = "ECDH-ES";
const ENCRYPTION = "A256GCM";
const KEY_BITS = 256;
const NONCE_BYTES = 12;
const MAX_KEY_BYTES = 16 * 1024;

/** An auditor's public key; whoever has only this can't read what is encrypted to it. */
export interface Recipient {
  readonly key: KeyObject;
  readonly kid?: string;
}

/** Reads an EC P-256 public key as a JWK (RFC 7517). A private key is refused: it has no business here. */
export function readRecipient(
  text: string,
): { readonly ok: true; readonly value: Recipient } | { readonly ok: false; readonly problem: string } {
  const wrong = (problem: string) => ({ ok: false as const, problem });
  if (text.length > MAX_KEY_BYTES) return wrong(`JWK is over ${MAX_KEY_BYTES} bytes`);
  let jwk: unknown;
  try {
    jwk = JSON.parse(text);
  } catch {
    // Not the parser's words: they quote what may be a key.
    return wrong("no JWK: expected a JSON object");
  }
  if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk)) return wrong("no JWK: expected a JSON object");
  const { kty, crv, x, y, d, kid } = jwk as Readonly<Record<string, unknown>>;
  if (d !== undefined) return wrong("JWK is a private key: only the public one belongs here");
  if (kty !== "EC" || crv !== "P-256" || typeof x !== "string" || typeof y !== "string") {
    return wrong("JWK is not an EC key on P-256");
  }
  try {
    const key = createPublicKey({ key: { kty, crv, x, y }, format: "jwk" });
    return { ok: true, value: typeof kid === "string" ? { key, kid } : { key } };
  } catch {
    return wrong("JWK is no point on P-256");
  }
}

/**
 * A compact JWE (RFC 7516) of the first `maxBytes` of a payload; where that is not all of it, the header's `bytes` says how
 * long it was. By hand, as jose answers later and takes its place in every agent's memory; jose judges it in tests.
 */
export function encryptPayload(payload: Uint8Array, maxBytes: number, recipient: Recipient): string {
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { kty, crv, x, y } = ephemeral.publicKey.export({ format: "jwk" });
  const header = encode(
    JSON.stringify({
      alg: AGREEMENT,
      enc: ENCRYPTION,
      ...(recipient.kid === undefined ? {} : { kid: recipient.kid }),
      epk: { kty, crv, x, y },
      ...(payload.length > maxBytes ? { bytes: payload.length } : {}),
    }),
  );
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient.key });
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", deriveKey(secret), nonce);
  cipher.setAAD(Buffer.from(header, "ascii"));
  const ciphertext = Buffer.concat([cipher.update(payload.subarray(0, maxBytes)), cipher.final()]);
  // The second part is empty: the key is agreed, not wrapped.
  return [header, "", encode(nonce), encode(ciphertext), encode(cipher.getAuthTag())].join(".");
}

/** Concat KDF (NIST SP 800-56A, 5.8.1) as RFC 7518, 4.6.2 has it, without names of the parties; one round makes 256 bits. */
function deriveKey(secret: Buffer): Buffer {
  const field = (text: string) => Buffer.concat([uint32(text.length), Buffer.from(text, "ascii")]);
  return createHash("sha256")
    .update(uint32(1))
    .update(secret)
    .update(field(ENCRYPTION))
    .update(field(""))
    .update(field(""))
    .update(uint32(KEY_BITS))
    .digest();
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function encode(bytes: string | Buffer): string {
  return Buffer.from(bytes).toString("base64url");
}
