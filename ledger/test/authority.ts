import "reflect-metadata";
import { createHash, generateKeyPairSync, type KeyObject, sign, webcrypto } from "node:crypto";
import { ExtendedKeyUsageExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509";
import {
  type CheckpointClaims,
  checkpointDigest,
  encodeCheckpoint,
  type StoredCheckpoint,
  WITNESS_TYPE,
  type WitnessClaims,
} from "../src/index.ts";

const DAY_MS = 24 * 3_600_000;
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Key and certificate of who signs a ledger's checkpoints. */
export interface Signer {
  readonly node: string;
  readonly spiffe: string;
  readonly privateKey: KeyObject;
  readonly chain: readonly Uint8Array[];
}

/** A certificate authority that is a witness, too, of another make than ours. */
export class TestAuthority {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly root: Uint8Array;

  private constructor(keys: webcrypto.CryptoKeyPair, root: Uint8Array) {
    this.#keys = keys;
    this.root = root;
  }

  static async create(): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: "CN=test authority",
      keys,
      signingAlgorithm: ECDSA,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 1000 * DAY_MS),
    });
    return new TestAuthority(keys, new Uint8Array(certificate.rawData));
  }

  get pem(): string {
    const lines =
      Buffer.from(this.root)
        .toString("base64")
        .match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  }

  /** `names` differ from the signer's where a test wants a certificate of another. */
  async certify(
    { node, spiffe }: { readonly node: string; readonly spiffe: string },
    { lifetimeMs = 90 * DAY_MS, usage = "1.3.6.1.5.5.7.3.37" } = {},
  ): Promise<Signer> {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const spki = publicKey.export({ type: "spki", format: "der" });
    const certificate = await X509CertificateGenerator.create({
      issuer: "CN=test authority",
      publicKey: await webcrypto.subtle.importKey("spki", spki, "Ed25519", true, ["verify"]),
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ECDSA,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + lifetimeMs),
      extensions: [
        new ExtendedKeyUsageExtension([usage]),
        new SubjectAlternativeNameExtension([
          { type: "url", value: spiffe },
          { type: "dns", value: `${node.split("/").reverse().join(".")}.instance.hedgerow.internal` },
        ]),
      ],
    });
    return { node, spiffe, privateKey, chain: [new Uint8Array(certificate.rawData)] };
  }

  async witness(
    checkpoint: string,
    claims: Omit<WitnessClaims, "checkpoint" | "iat" | "iss">,
    iat = seconds(),
  ): Promise<string> {
    const header = { alg: "ES256", typ: WITNESS_TYPE, kid: createHash("sha256").update(this.root).digest("hex") };
    const { ledger, seq, head } = claims;
    const payload: WitnessClaims = {
      iss: "spiffe://test",
      iat,
      ledger,
      seq,
      head,
      checkpoint: checkpointDigest(checkpoint),
    };
    const signed = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const signature = await webcrypto.subtle.sign(ECDSA, this.#keys.privateKey, Buffer.from(signed));
    return `${signed}.${Buffer.from(signature).toString("base64url")}`;
  }
}

const seconds = () => Math.floor(Date.now() / 1000);

/** The next checkpoint of a ledger; `more` overrides what it claims. */
export function signCheckpoint(
  { node, spiffe, privateKey, chain }: Signer,
  tip: Pick<CheckpointClaims, "ledger" | "segment" | "seq" | "head">,
  more: Partial<CheckpointClaims> = {},
): string {
  const { ledger, segment, seq, head } = tip;
  const claims = { iss: spiffe, iat: seconds(), node, ledger, segment, seq, head, ...more };
  return encodeCheckpoint(claims, chain, (bytes) => sign(null, bytes, privateKey));
}

export const digestOf = ({ checkpoint }: StoredCheckpoint): string => checkpointDigest(checkpoint);
