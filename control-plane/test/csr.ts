import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { bitString, decodeDer, encodeDer, integer, oid, sequence } from "../src/ca/der.ts";
import { ECDSA_WITH_SHA256 } from "../src/ca/oids.ts";

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function testKey(): TestKey {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

/** A PKCS#10 request without names, signed by `signer`, of itself unless told otherwise. */
export function testCsr(key: TestKey = testKey(), signer: KeyObject = key.privateKey): Buffer {
  const spki = decodeDer(key.publicKey.export({ type: "spki", format: "der" }));
  if (spki === undefined) throw new Error("node:crypto exported no DER");
  const info = sequence(integer(Buffer.of(0)), sequence(), spki);
  const signature = bitString(sign("sha256", encodeDer(info), signer));
  return Buffer.from(encodeDer(sequence(info, sequence(oid(ECDSA_WITH_SHA256)), signature)));
}
