import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

// A key as a compact JWE (RFC 7516): alg A256GCMKW (RFC 7518, 4.7), enc A256GCM (5.3). By hand, in the little that is needed: jose
// would cost every agent megabytes; the tests read and write it with jose.
const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const authTagLength = 16;

interface Sealed {
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

function seal(plaintext: Buffer, key: Buffer, additionalData = Buffer.alloc(0)): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength }).setAAD(additionalData);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { nonce, ciphertext, tag: cipher.getAuthTag() };
}

/** Throws where it does not fit. */
function open({ nonce, ciphertext, tag }: Sealed, key: Buffer, additionalData = Buffer.alloc(0)): Buffer {
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength }).setAAD(additionalData).setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

/** `keyEncryptionKey`: 32 bytes. */
export function wrapKey(key: Buffer, kid: string, keyEncryptionKey: Buffer): string {
  const contentKey = randomBytes(KEY_BYTES);
  const wrapped = seal(contentKey, keyEncryptionKey);
  const fields = {
    alg: "A256GCMKW",
    enc: "A256GCM",
    kid,
    iv: wrapped.nonce.toString("base64url"),
    tag: wrapped.tag.toString("base64url"),
  };
  const header = Buffer.from(JSON.stringify(fields)).toString("base64url");
  const content = seal(key, contentKey, Buffer.from(header));
  const parts = [wrapped.ciphertext, content.nonce, content.ciphertext, content.tag];
  return [header, ...parts.map((part) => part.toString("base64url"))].join(".");
}

/** Undefined: wrapped with another key, or altered. */
export function unwrapKey(jwe: string, keyEncryptionKey: Buffer): Buffer | undefined {
  try {
    const [header = "", wrappedKey = "", nonce = "", ciphertext = "", tag = ""] = jwe.split(".");
    const fields: unknown = JSON.parse(bytes(header).toString());
    if (typeof fields !== "object" || fields === null || !("iv" in fields) || !("tag" in fields)) return undefined;
    const wrapped = { nonce: bytes(fields.iv), ciphertext: bytes(wrappedKey), tag: bytes(fields.tag) };
    const contentKey = open(wrapped, keyEncryptionKey);
    const content = { nonce: bytes(nonce), ciphertext: bytes(ciphertext), tag: bytes(tag) };
    return open(content, contentKey, Buffer.from(header));
  } catch {
    // A tag that does not fit, or what is no JWE: all the same to who asks.
    return undefined;
  }
}

const bytes = (base64url: unknown): Buffer => Buffer.from(String(base64url), "base64url");
