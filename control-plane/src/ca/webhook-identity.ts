// What the API server knows our webhooks by: a certificate for their Service's name, under the same root as all others.
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import type { Authority, IssuedCertificate } from "./authority.ts";

const DAY_MS = 24 * 3_600_000;

/** A key in memory and its certificate for `dnsNames`, anew at half of `lifetimeMs` (default 24 h). */
export class WebhookIdentity implements Disposable {
  readonly #authority: Authority;
  readonly #issued: (certificate: IssuedCertificate) => void;
  readonly #dnsNames: readonly string[];
  readonly #lifetimeMs: number;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #context: { readonly key: string; readonly cert: string };

  /** `issued` is told of every certificate. */
  constructor(
    authority: Authority,
    dnsNames: readonly string[],
    lifetimeMs: number = DAY_MS,
    issued: (certificate: IssuedCertificate) => void = () => {},
  ) {
    this.#authority = authority;
    this.#issued = issued;
    this.#dnsNames = dnsNames;
    this.#lifetimeMs = lifetimeMs;
    this.#context = this.#issue();
    this.#timer = setInterval(() => {
      this.#context = this.#issue();
      for (const listener of this.#listeners) listener();
    }, lifetimeMs / 2).unref();
  }

  /** PEM; the root is not in it. */
  secureContext(): { readonly key: string; readonly cert: string } {
    return this.#context;
  }

  onRotate(callback: () => void): void {
    this.#listeners.add(callback);
  }

  #issue() {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const spki = publicKey.export({ type: "spki", format: "der" });
    const certificate = this.#authority.issueServer(this.#dnsNames, spki, this.#lifetimeMs);
    this.#issued(certificate);
    return {
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      cert: certificate.chain.map((der) => new X509Certificate(der).toString()).join(""),
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }
}
