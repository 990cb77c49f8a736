// Owns the key: everything that the authority signs goes through here.
import { createHash, randomBytes, sign } from "node:crypto";
import { compactVerify, SignJWT } from "jose";
import { messageOf } from "../errors.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { type Issuer, issueLeaf, type LeafNames, rootCommonName } from "./issue.ts";
import type { KeyMaterial } from "./key-material.ts";
import {
  type AdminRole,
  adminId,
  CONTROL_PLANE_DNS_NAME,
  controlPlaneId,
  type WorkloadIdentity,
  workloadDnsNames,
  workloadId,
} from "./names.ts";
import { buildClaims, type ClaimsResult, checkClaims, MAX_TOKEN_BYTES, TOKEN_ALGORITHM, TOKEN_TYPE } from "./token.ts";

/** Clocks of peers may be this far behind ours. */
const BACKDATE_MS = 30_000;
/** A ledger's writer makes a new key at each start, and when this one is two thirds through. */
const CHECKPOINT_KEY_LIFETIME_MS = 90 * 24 * 3_600_000;

export interface IssuedCertificate {
  /** Empty where it names none. */
  readonly spiffeId: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** DER, leaf first; the root is not in it. */
  readonly chain: readonly Uint8Array[];
  /** Unix ms, whole seconds. */
  readonly notBeforeMs: number;
  /** Unix ms, whole seconds. */
  readonly notAfterMs: number;
}

/** Signs SVIDs, certificates of people, the control plane's own, and join tokens. `now` gives Unix ms. */
export class Authority {
  readonly trustDomain: string;
  /** DER of every root that peers may be verified against. */
  readonly trustBundle: readonly Uint8Array[];
  /** SHA-256 of each root's DER, hexadecimal. */
  readonly rootDigests: readonly string[];
  readonly #material: KeyMaterial;
  readonly #issuer: Issuer;
  readonly #now: () => number;

  constructor(material: KeyMaterial, now: () => number) {
    const publicKey = material.root.publicKey.export({ type: "spki", format: "der" });
    this.trustDomain = material.trustDomain;
    this.trustBundle = [material.root.raw];
    this.rootDigests = this.trustBundle.map((der) => createHash("sha256").update(der).digest("hex"));
    this.#material = material;
    this.#issuer = { commonName: rootCommonName(publicKey), publicKey };
    this.#now = now;
  }

  /** An SVID. `publicKey` is DER SubjectPublicKeyInfo; lifetimes beyond the root's end are cut to it. */
  issueWorkload(identity: WorkloadIdentity, publicKey: Uint8Array, lifetimeMs: number): IssuedCertificate {
    const names: LeafNames = {
      spiffeId: workloadId(this.trustDomain, identity),
      dnsNames: workloadDnsNames(identity),
      usages: ["server", "client"],
    };
    return this.#issue(names, publicKey, lifetimeMs);
  }

  /** A certificate for a person or system that calls the admin service. */
  issueAdmin(role: AdminRole, name: string, publicKey: Uint8Array, lifetimeMs: number): IssuedCertificate {
    const names: LeafNames = { spiffeId: adminId(this.trustDomain, role, name), dnsNames: [], usages: ["client"] };
    return this.#issue(names, publicKey, lifetimeMs);
  }

  /** The control plane's own certificate. */
  issueControlPlane(publicKey: Uint8Array, lifetimeMs: number): IssuedCertificate {
    const names: LeafNames = {
      spiffeId: controlPlaneId(this.trustDomain),
      dnsNames: [CONTROL_PLANE_DNS_NAME],
      usages: ["server", "client"],
    };
    return this.#issue(names, publicKey, lifetimeMs);
  }

  /** A certificate of a server that is known by DNS names alone, as an API server knows its webhooks: nobody's in the mesh. */
  issueServer(dnsNames: readonly string[], publicKey: Uint8Array, lifetimeMs: number): IssuedCertificate {
    return this.#issue({ spiffeId: undefined, dnsNames, usages: ["server"] }, publicKey, lifetimeMs);
  }

  /** Of a key that signs the checkpoints of a workload's ledgers: an Ed25519 SubjectPublicKeyInfo. It is no SVID. */
  issueWorkloadCheckpointKey(identity: WorkloadIdentity, publicKey: Uint8Array): IssuedCertificate {
    const names: LeafNames = {
      spiffeId: workloadId(this.trustDomain, identity),
      dnsNames: workloadDnsNames(identity),
      usages: ["checkpoint"],
    };
    return this.#issue(names, publicKey, CHECKPOINT_KEY_LIFETIME_MS);
  }

  /** Of a key that signs the checkpoints of the control plane's own ledger. */
  issueOwnCheckpointKey(nodeId: NodeId, publicKey: Uint8Array): IssuedCertificate {
    const names: LeafNames = {
      spiffeId: controlPlaneId(this.trustDomain),
      dnsNames: workloadDnsNames({ nodeId, serviceAccount: "control-plane", region: undefined }),
      usages: ["checkpoint"],
    };
    return this.#issue(names, publicKey, CHECKPOINT_KEY_LIFETIME_MS);
  }

  /** A compact JWS by the authority's own key (RFC 7515; ES256). `typ` keeps one kind of statement from passing for another. */
  signClaims(typ: string, claims: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ alg: TOKEN_ALGORITHM, typ, kid: this.rootDigests[0] })}.${part(claims)}`;
    const key = { key: this.#material.privateKey, dsaEncoding: "ieee-p1363" } as const;
    return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
  }

  /** A join token for one Workload. `ttlMs` within TOKEN_TTL_MS. */
  async createToken(
    { nodeId, region }: WorkloadIdentity,
    { ttlMs, reusable }: { readonly ttlMs: number; readonly reusable: boolean },
  ): Promise<{ readonly token: string; readonly jti: string; readonly expiresAtMs: number }> {
    const claims = buildClaims({
      trustDomain: this.trustDomain,
      nodeId,
      region,
      jti: randomBytes(16).toString("base64url"),
      nowMs: this.#now(),
      ttlMs,
      reusable,
      roots: this.rootDigests,
    });
    const token = await new SignJWT({ ...claims, roots: [...claims.roots] })
      .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: TOKEN_TYPE })
      .sign(this.#material.privateKey);
    return { token, jti: claims.jti, expiresAtMs: claims.exp * 1000 };
  }

  /** The claims of a token that this authority signed and that has not expired; whether it is spent is not known here. */
  async verifyToken(token: string): Promise<ClaimsResult> {
    if (Buffer.byteLength(token) > MAX_TOKEN_BYTES)
      return { ok: false, problem: `token takes more than ${MAX_TOKEN_BYTES} bytes` };
    try {
      const { payload, protectedHeader } = await compactVerify(token, this.#material.root.publicKey, {
        algorithms: [TOKEN_ALGORITHM],
      });
      const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
      if (typeof claims !== "object" || claims === null) return { ok: false, problem: "token holds no claims" };
      const header: Record<string, unknown> = { ...protectedHeader };
      return checkClaims(header, Object.fromEntries(Object.entries(claims)), {
        trustDomain: this.trustDomain,
        nowMs: this.#now(),
      });
    } catch (error) {
      return { ok: false, problem: messageOf(error) };
    }
  }

  #issue(names: LeafNames, publicKey: Uint8Array, lifetimeMs: number): IssuedCertificate {
    const second = (ms: number) => Math.floor(ms / 1000) * 1000;
    const nowMs = this.#now();
    const notBeforeMs = second(nowMs - BACKDATE_MS);
    const notAfterMs = second(Math.min(nowMs + lifetimeMs, this.#material.root.validToDate.getTime()));
    const serial = randomBytes(16);
    const leaf = issueLeaf(this.#issuer, names, {
      publicKey,
      serial,
      notBeforeMs,
      notAfterMs,
      sign: (toBeSigned) => sign("sha256", toBeSigned, this.#material.privateKey),
    });
    return { spiffeId: names.spiffeId ?? "", serial: serial.toString("hex"), chain: [leaf], notBeforeMs, notAfterMs };
  }
}
