import forge from "node-forge";

const { asn1 } = forge;
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";

/**
 * A PKCS#10 CertificationRequest (RFC 2986), DER: an empty subject, no attributes (names come from the CA, never from here), and
 * the key's SubjectPublicKeyInfo. `sign` returns the DER ECDSA-with-SHA256 signature of what it is given.
 */
export function encodeCsr(subjectPublicKeyInfo: Uint8Array, sign: (content: Uint8Array) => Uint8Array): Uint8Array {
  const info = sequence([
    node(asn1.Type.INTEGER, "\0"),
    sequence([]),
    asn1.fromDer(toBinaryString(subjectPublicKeyInfo)),
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, []),
  ]);
  const content = toBytes(asn1.toDer(info).getBytes());
  const request = sequence([
    info,
    sequence([node(asn1.Type.OID, asn1.oidToDer(ECDSA_WITH_SHA256).getBytes())]),
    // The first octet of a BIT STRING counts unused bits.
    node(asn1.Type.BITSTRING, `\0${toBinaryString(sign(content))}`),
  ]);
  return toBytes(asn1.toDer(request).getBytes());
}

function sequence(children: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, children);
}

function node(type: forge.asn1.Type, value: string): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, value);
}

function toBinaryString(bytes: Uint8Array): string {
  return forge.util.binary.raw.encode(bytes);
}

function toBytes(text: string): Uint8Array {
  return forge.util.binary.raw.decode(text);
}
