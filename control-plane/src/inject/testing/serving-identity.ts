import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { testAuthority } from "../../../test/authority.ts";
import type { ServingIdentity } from "../webhook.ts";

const DAY_MS = 24 * 3_600_000;

/** A serving certificate for `localhost` under a root of its own; renewed when a test says so. */
export class TestIdentity implements ServingIdentity {
  readonly rootPem: string;
  readonly #authority = testAuthority("test.example", Date.now);
  readonly #listeners: (() => void)[] = [];
  #context: { readonly key: string; readonly cert: string };

  constructor() {
    this.rootPem = this.#authority.trustBundle.map((der) => new X509Certificate(der).toString()).join("");
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
    const spki = publicKey.export({ type: "spki", format: "der" });
    const { chain } = this.#authority.issueServer(["localhost"], spki, DAY_MS);
    return {
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      cert: chain.map((der) => new X509Certificate(der).toString()).join(""),
    };
  }
}
