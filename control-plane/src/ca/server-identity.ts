// The control plane's own certificate: issued by its own authority, renewed while the listeners stay open.
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import type { Authority, IssuedCertificate } from "./authority.ts";

const DAY_MS = 24 * 3_600_000;
/** Strangers that say nothing hold a socket for no longer. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** grpc-js watches its credentials and hands what changes to the listening sockets. */
class RenewableServerCredentials extends ServerCredentials {
  // grpc-js takes only requestCert, rejectUnauthorized and the like from here; the rest is in the context.
  constructor(context: SecureContextOptions, clientCertificate: boolean) {
    super(
      {
        requestCert: clientCertificate,
        rejectUnauthorized: clientCertificate,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      },
      context,
    );
  }

  renew(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** A key in memory and its certificate, anew at half of `lifetimeMs` (default 24 h). Connections that stand are not touched. */
export class ServerIdentity implements Disposable {
  readonly #authority: Authority;
  readonly #issued: (certificate: IssuedCertificate) => void;
  readonly #lifetimeMs: number;
  readonly #listeners = new Set<(context: SecureContextOptions) => void>();
  readonly #timer: NodeJS.Timeout;
  #context: SecureContextOptions;

  /** `issued` is told of every certificate. */
  constructor(
    authority: Authority,
    lifetimeMs: number = DAY_MS,
    issued: (certificate: IssuedCertificate) => void = () => {},
  ) {
    this.#authority = authority;
    this.#issued = issued;
    this.#lifetimeMs = lifetimeMs;
    this.#context = this.#issue();
    this.#timer = setInterval(() => {
      this.#context = this.#issue();
      for (const listener of this.#listeners) listener(this.#context);
    }, lifetimeMs / 2);
    this.#timer.unref();
  }

  /** TLS 1.3, the leaf and the root (a first caller compares it with its join token), clients verified against our roots. */
  get context(): SecureContextOptions {
    return this.#context;
  }

  onRenew(listener: (context: SecureContextOptions) => void): void {
    this.#listeners.add(listener);
  }

  /** Credentials of a gRPC listener; with `clientCertificate`, who has none of ours does not get through the handshake. */
  grpcCredentials({ clientCertificate }: { readonly clientCertificate: boolean }): ServerCredentials {
    const credentials = new RenewableServerCredentials(this.#context, clientCertificate);
    this.onRenew((context) => credentials.renew(context));
    return credentials;
  }

  #issue(): SecureContextOptions {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const spki = publicKey.export({ type: "spki", format: "der" });
    const certificate = this.#authority.issueControlPlane(spki, this.#lifetimeMs);
    this.#issued(certificate);
    const pem = (der: Uint8Array) => new X509Certificate(der).toString();
    return {
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
      cert: [...certificate.chain, ...this.#authority.trustBundle].map(pem).join(""),
      ca: this.#authority.trustBundle.map(pem),
      minVersion: "TLSv1.3",
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }
}
