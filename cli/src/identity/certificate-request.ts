import { type KeyObject, sign } from "node:crypto";

// Tags of DER (X.690): universal types, and the constructed context tag [0].
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
const CONTEXT_0 = 0xa0;

/** 1.2.840.10045.4.3.2, ecdsa-with-SHA256 (RFC 5758 section 3.2). */
const ECDSA_WITH_SHA256 = Buffer.from("2a8648ce3d040302", "hex");

/**
 * A PKCS#10 CertificationRequest (RFC 2986 section 4) in DER that proves possession of a P-256 key and claims nothing:
 * the subject is empty, because the control plane takes only the public key from it.
 */
export function certificateRequest(keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }): Buffer {
  const info = der(
    SEQUENCE,
    der(INTEGER, Buffer.of(0)),
    der(SEQUENCE),
    keys.publicKey.export({ type: "spki", format: "der" }),
    der(CONTEXT_0),
  );
  const signature = sign("sha256", info, keys.privateKey);
  return der(
    SEQUENCE,
    info,
    der(SEQUENCE, der(OBJECT_IDENTIFIER, ECDSA_WITH_SHA256)),
    // A bit string starts with the number of its unused bits.
    der(BIT_STRING, Buffer.of(0), signature),
  );
}

/** Tag, length and contents; lengths to 255, more than a P-256 request needs. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const value = Buffer.concat(contents);
  const length = value.length < 0x80 ? Buffer.of(value.length) : Buffer.of(0x81, value.length);
  return Buffer.concat([Buffer.of(tag), length, value]);
}
