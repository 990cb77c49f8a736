import { generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import { issueLeaf, issueRoot, rootCommonName } from "../../ca/issue.ts";
import type { ServingIdentity } from "../webhook.ts";

const HOUR_MS = 3_600_000;

/** A serving certificate for `localhost` under a root of its own; renewed when a test says so. */
export class TestIdentity implements ServingIdentity {
  readonly rootPem: string;
  readonly #root = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  readonly #listeners: (() => void)[] = [];
  #context: { readonly key: string; readonly cert: string };

  constructor() {
    const root = issueRoot(
      "test.example",
      this.#certified(this.#root.publicKey.export({ type: "spki", format: "der" })),
    );
    this.rootPem = new X509Certificate(root).toString();
    this.#context = this.#issue();
  }

  secureContext(): { readonly key: string; readonly cert: string } {
    return this.#context;
  }

  onRotate(callback: () => void): void {
    this.#listeners.push(callback);
  }

  /** Returns the serial number of the new certificate. */
  rotate(): string {
    this.#context = this.#issue();
    for (const listener of this.#listeners) listener();
    return new X509Certificate(this.#context.cert).serialNumber;
  }

  #issue() {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const issuerKey = this.#root.publicKey.export({ type: "spki", format: "der" });
    const leaf = issueLeaf(
      { commonName: rootCommonName(issuerKey), publicKey: issuerKey },
      {
        spiffeId: "spiffe://test.example/ns/hedgerow-system/sa/control-plane",
        dnsNames: ["localhost"],
        usages: ["server"],
      },
      this.#certified(publicKey.export({ type: "spki", format: "der" })),
    );
    return {
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      cert: new X509Certificate(leaf).toString(),
    };
  }

  #certified(publicKey: Buffer) {
    return {
      publicKey,
      serial: randomBytes(16),
      notBeforeMs: Date.now() - HOUR_MS,
      notAfterMs: Date.now() + 24 * HOUR_MS,
      sign: (toBeSigned: Uint8Array) => sign("sha256", toBeSigned, this.#root.privateKey),
    };
  }
}
