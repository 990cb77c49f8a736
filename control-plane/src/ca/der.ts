// The pieces of DER (X.690) that certificates and requests are made of, over node-forge's ASN.1, which speaks binary strings.
import forge from "node-forge";

export type Asn1 = forge.asn1.Asn1;

const { Class, Type } = forge.asn1;

function toBinaryString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

export function encodeDer(node: Asn1): Uint8Array {
  return Buffer.from(forge.asn1.toDer(node).getBytes(), "latin1");
}

// Bit strings are left alone: node-forge would otherwise look for DER inside an elliptic curve's point (which starts like
// an OCTET STRING) and hand it back in another shape. Its own types lack these options.
const parse = forge.asn1.fromDer as unknown as (
  bytes: string,
  options: { strict: boolean; parseAllBytes: boolean; decodeBitStrings: boolean },
) => Asn1;

/** One whole DER value, or undefined when the bytes are none, or more than one. Callers bound the length. */
export function decodeDer(bytes: Uint8Array): Asn1 | undefined {
  try {
    return parse(toBinaryString(bytes), { strict: true, parseAllBytes: true, decodeBitStrings: false });
  } catch {
    // node-forge throws on every malformed input, and has no other way to say so.
    return undefined;
  }
}

const primitive = (type: forge.asn1.Type, content: string) => forge.asn1.create(Class.UNIVERSAL, type, false, content);

export const sequence = (...children: Asn1[]): Asn1 =>
  forge.asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, children);
export const setOf = (...children: Asn1[]): Asn1 => forge.asn1.create(Class.UNIVERSAL, Type.SET, true, children);
export const explicit = (tag: number, child: Asn1): Asn1 =>
  forge.asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [child]);
/** An implicitly tagged primitive, as GeneralName and AuthorityKeyIdentifier are made of. */
export const implicit = (tag: number, content: Uint8Array): Asn1 =>
  forge.asn1.create(Class.CONTEXT_SPECIFIC, tag, false, toBinaryString(content));
export const oid = (dotted: string): Asn1 => primitive(Type.OID, forge.asn1.oidToDer(dotted).getBytes());
/** `content` is big-endian two's complement, without needless leading bytes. */
export const integer = (content: Uint8Array): Asn1 => primitive(Type.INTEGER, toBinaryString(content));
export const boolean = (value: boolean): Asn1 => primitive(Type.BOOLEAN, value ? "\xff" : "\x00");
export const octetString = (content: Uint8Array): Asn1 => primitive(Type.OCTETSTRING, toBinaryString(content));
export const utf8String = (text: string): Asn1 => primitive(Type.UTF8, toBinaryString(Buffer.from(text, "utf8")));
export const bitString = (content: Uint8Array, unusedBits = 0): Asn1 =>
  primitive(Type.BITSTRING, String.fromCharCode(unusedBits) + toBinaryString(content));

/** RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. Fractions of a second are cut. */
export function time(unixMs: number): Asn1 {
  const date = new Date(unixMs);
  return date.getUTCFullYear() < 2050
    ? primitive(Type.UTCTIME, forge.asn1.dateToUtcTime(date))
    : primitive(Type.GENERALIZEDTIME, forge.asn1.dateToGeneralizedTime(date));
}

/** The elements of a SEQUENCE (or of a constructed value with context tag `tag`); undefined when it is something else. */
export function childrenOf(node: Asn1 | undefined, tag?: number): readonly Asn1[] | undefined {
  if (node === undefined || !Array.isArray(node.value)) return undefined;
  const expected = tag === undefined ? [Class.UNIVERSAL, Type.SEQUENCE] : [Class.CONTEXT_SPECIFIC, tag];
  return node.tagClass === expected[0] && node.type === expected[1] ? node.value : undefined;
}

/** A primitive's content; undefined when the node is absent, constructed, or of another type or context tag. */
export function contentOf(
  node: Asn1 | undefined,
  expected: "oid" | "octetString" | "bitString" | { readonly context: number },
): Uint8Array | undefined {
  if (node === undefined || typeof node.value !== "string") return undefined;
  const tagClass = typeof expected === "string" ? Class.UNIVERSAL : Class.CONTEXT_SPECIFIC;
  const types = { oid: Type.OID, octetString: Type.OCTETSTRING, bitString: Type.BITSTRING };
  const type = typeof expected === "string" ? types[expected] : expected.context;
  return node.tagClass === tagClass && Number(node.type) === Number(type)
    ? Buffer.from(node.value, "latin1")
    : undefined;
}

/** A whole number of bytes inside a BIT STRING. */
export function bitStringBytes(node: Asn1 | undefined): Uint8Array | undefined {
  const content = contentOf(node, "bitString");
  return content?.[0] === 0 ? content.subarray(1) : undefined;
}

export function isOid(node: Asn1 | undefined, dotted: string): boolean {
  const content = contentOf(node, "oid");
  return content !== undefined && toBinaryString(content) === forge.asn1.oidToDer(dotted).getBytes();
}
