import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Svid, SvidSchema } from "@hedgerow/proto/hedgerow/ca/v1/ca";
import { SignJWT } from "jose";
import forge from "node-forge";

const { asn1 } = forge;
const { Type, Class } = asn1;
const DAY_MS = 86_400_000;

type Asn1 = forge.asn1.Asn1;
const node = (type: forge.asn1.Type, value: string | Asn1[]) =>
  asn1.create(Class.UNIVERSAL, type, Array.isArray(value), value);
const sequence = (...children: Asn1[]) => node(Type.SEQUENCE, children);
const oid = (dotted: string) => node(Type.OID, asn1.oidToDer(dotted).getBytes());
const tagged = (tag: number, constructed: boolean, value: string | Asn1[]) =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag, constructed, value);
const text = (bytes: Uint8Array) => forge.util.binary.raw.encode(bytes);
const der = (value: Asn1) => forge.util.binary.raw.decode(asn1.toDer(value).getBytes());
const ecdsaWithSha256 = () => sequence(oid("1.2.840.10045.4.3.2"));
const time = (ms: number) => node(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(new Date(ms)));
const commonName = (name: string) => sequence(node(Type.SET, [sequence(oid("2.5.4.3"), node(Type.UTF8, name))]));
const extension = (dotted: string, critical: boolean, value: Asn1) =>
  sequence(
    oid(dotted),
    ...(critical ? [node(Type.BOOLEAN, "\xff")] : []),
    node(Type.OCTETSTRING, asn1.toDer(value).getBytes()),
  );
const spkiOf = (key: KeyObject) => asn1.fromDer(text(key.export({ type: "spki", format: "der" })));

/** Of a BIT STRING that holds DER, node-forge keeps the octets in a field that its types leave out. */
function bitString(value: Asn1 | undefined): string {
  if (value === undefined || !("bitStringContents" in value)) throw new Error("expected a BIT STRING");
  return String(value.bitStringContents);
}

/** A certificate authority for tests, as small as SPIFFE allows. */
export class TestCa {
  readonly root: X509Certificate;
  readonly trustDomain: string;
  readonly #key: KeyObject;
  /** Of SVIDs, milliseconds. */
  lifetimeMs = 3_600_000;

  constructor(trustDomain: string) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.trustDomain = trustDomain;
    this.#key = privateKey;
    this.root = new X509Certificate(
      this.#issue(commonName("test root"), publicKey, Date.now() + DAY_MS, [
        extension("2.5.29.19", true, sequence(node(Type.BOOLEAN, "\xff"))),
        // keyCertSign and cRLSign.
        extension("2.5.29.15", true, node(Type.BITSTRING, "\x01\x06")),
      ]),
    );
  }

  /** The SVID for a PKCS#10 request, whose signature must be valid. */
  sign(csr: Uint8Array, nodeId: string): Svid {
    const [info, , signature] = asn1.fromDer(text(csr)).value as Asn1[];
    const [, , spki] = (info?.value ?? []) as Asn1[];
    if (info === undefined || spki === undefined) throw new Error("request is no PKCS#10");
    const key = createPublicKey({ key: Buffer.from(der(spki)), format: "der", type: "spki" });
    // The first octet counts unused bits.
    const bits = forge.util.binary.raw.decode(bitString(signature).slice(1));
    if (!verify("sha256", der(info), key, bits)) throw new Error("signature of the request is not valid");
    const [namespace = "", name = ""] = nodeId.split("/");
    const spiffeId = `spiffe://${this.trustDomain}/ns/${namespace}/sa/${name}`;
    const notAfterMs = Math.floor((Date.now() + this.lifetimeMs) / 1000) * 1000;
    return create(SvidSchema, {
      certificateChain: [this.#leaf(key, spiffeId, notAfterMs)],
      trustBundle: [this.root.raw],
      spiffeId,
      nodeId,
      notAfter: timestampFromMs(notAfterMs),
    });
  }

  /** Key and chain (leaf, root) of a server, PEM. */
  server(spiffeId: string): { key: string; chain: string } {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const leaf = new X509Certificate(this.#leaf(publicKey, spiffeId, Date.now() + DAY_MS));
    return {
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      chain: leaf.toString() + this.root.toString(),
    };
  }

  /** A join token as the control plane prints it. */
  async token(nodeId: string, roots: readonly string[] = [this.rootDigest()]): Promise<string> {
    return await new SignJWT({ roots: [...roots], reusable: true })
      .setProtectedHeader({ alg: "ES256", typ: "hedgerow-join+jwt" })
      .setIssuer(`spiffe://${this.trustDomain}`)
      .setSubject(nodeId)
      .setAudience("hedgerow-enroll")
      .setJti("1")
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(this.#key);
  }

  rootDigest(): string {
    return createHash("sha256").update(this.root.raw).digest("hex");
  }

  #leaf(key: KeyObject, spiffeId: string, notAfterMs: number): Uint8Array {
    return this.#issue(sequence(), key, notAfterMs, [
      extension("2.5.29.19", true, sequence()),
      // digitalSignature.
      extension("2.5.29.15", true, node(Type.BITSTRING, "\x07\x80")),
      extension("2.5.29.37", false, sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"))),
      extension("2.5.29.17", true, sequence(tagged(6, false, spiffeId))),
    ]);
  }

  #issue(subject: Asn1, key: KeyObject, notAfterMs: number, extensions: Asn1[]): Uint8Array {
    const serial = randomBytes(16);
    // Positive, and without a needless leading zero.
    serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
    const certificate = sequence(
      tagged(0, true, [node(Type.INTEGER, "\x02")]),
      node(Type.INTEGER, text(serial)),
      ecdsaWithSha256(),
      commonName("test root"),
      sequence(time(Date.now() - 60_000), time(notAfterMs)),
      subject,
      spkiOf(key),
      tagged(3, true, [sequence(...extensions)]),
    );
    const signature = sign("sha256", der(certificate), this.#key);
    return der(sequence(certificate, ecdsaWithSha256(), node(Type.BITSTRING, `\0${text(signature)}`)));
  }
}
