/** DER tags (X.690). */
const Tag = { integer: 0x02, bitString: 0x03, sequence: 0x30, attributes: 0xa0 } as const;
/** AlgorithmIdentifier of ecdsa-with-SHA256, 1.2.840.10045.4.3.2 (RFC 5758 section 3.2), DER. */
const ECDSA_WITH_SHA256 = Uint8Array.of(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);

/**
 * A PKCS#10 CertificationRequest (RFC 2986), DER: an empty subject, no attributes (names come from the CA, never from here), and
 * the key's SubjectPublicKeyInfo. `sign` returns the DER ECDSA-with-SHA256 signature of what it is given. By hand, since nothing in
 * it varies but the key: an ASN.1 library costs an agent 5 MB for life.
 */
export function encodeCsr(subjectPublicKeyInfo: Uint8Array, sign: (content: Uint8Array) => Uint8Array): Uint8Array {
  const version = encode(Tag.integer, Uint8Array.of(0));
  const subject = encode(Tag.sequence);
  const info = encode(Tag.sequence, version, subject, subjectPublicKeyInfo, encode(Tag.attributes));
  // The first octet of a BIT STRING counts unused bits.
  const signature = encode(Tag.bitString, Uint8Array.of(0), sign(info));
  return encode(Tag.sequence, info, ECDSA_WITH_SHA256, signature);
}

/** Tag, length (X.690 section 8.1.3, at most 65535) and content. */
function encode(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = parts.flatMap((part) => [...part]);
  const { length } = content;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Uint8Array.of(tag, ...octets, ...content);
}
