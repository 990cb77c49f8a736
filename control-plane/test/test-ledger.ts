import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { type CheckpointClaims, checkpointDigest, encodeCheckpoint } from "@hedgerow/ledger";

/** What a ledger's writer signs; its records are made up. */
export class TestLedger {
  readonly id: string = randomUUID();
  readonly publicKey: Uint8Array;
  readonly #privateKey: KeyObject;
  readonly #claims: { readonly iss: string; readonly node: string };
  chain: readonly Uint8Array[] = [];
  /** Of the last that was made. */
  previous: string | undefined;

  constructor(claims: { readonly iss: string; readonly node: string }) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#privateKey = privateKey;
    this.publicKey = publicKey.export({ type: "spki", format: "der" });
    this.#claims = claims;
  }

  /** The next one, after `seq`. */
  checkpoint(seq: number, more: Partial<CheckpointClaims> = {}): string {
    const head = createHash("sha256").update(`${this.id} ${seq}`).digest("hex");
    const previous = this.previous === undefined ? {} : { previous: this.previous };
    const claims = { ...this.#claims, iat: 1, ledger: this.id, segment: 0, seq, head, ...previous, ...more };
    const compact = encodeCheckpoint(claims, this.chain, (bytes) => sign(null, bytes, this.#privateKey));
    this.previous = checkpointDigest(compact);
    return compact;
  }
}
