/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410, section 4): no parameters, so no second encoding. */
const PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;

export function isEd25519(spki: Uint8Array): boolean {
  return spki.length === PREFIX.length + KEY_BYTES && PREFIX.equals(spki.subarray(0, PREFIX.length));
}
