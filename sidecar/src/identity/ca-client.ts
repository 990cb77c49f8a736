import { generateKeyPair, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { grpcClient } from "@hedgerow/proto";
import { CertificateService, EnrollmentService, type Svid as SvidMessage } from "@hedgerow/proto/hedgerow/ca/v1/ca";
import { SidecarError } from "../errors.ts";
import { encodeCsr } from "./csr.ts";
import { fetchTrustedRoot } from "./first-contact.ts";
import { CONTROL_PLANE_CHANNEL, enrollCredentials, meshCredentials } from "./mesh-credentials.ts";
import { type Expected, PrivateKey, readSvid, type Svid } from "./svid.ts";
import { adviceAbout, type EnrolmentToken } from "./token.ts";

const CALL_TIMEOUT_MS = 10_000;
const newKeyPair = promisify(generateKeyPair);

/** The agent's side of the certificate authority. Every SVID has a new key. */
export class CaClient {
  readonly #enrollAddress: string;
  readonly #meshAddress: string;
  readonly #now: () => number;

  constructor(options: { readonly enrollAddress: string; readonly meshAddress: string; readonly now: () => number }) {
    this.#enrollAddress = options.enrollAddress;
    this.#meshAddress = options.meshAddress;
    this.#now = options.now;
  }

  /**
   * The first SVID, in exchange for a token.
   * Errors: control_plane_untrusted, enrol_refused (the control plane's words), svid_invalid.
   */
  async enrol(token: EnrolmentToken, signal: AbortSignal): Promise<Svid> {
    const rootPem = await fetchTrustedRoot(splitAddress(this.#enrollAddress), token, signal);
    const { key, csr } = await newRequest();
    const client = grpcClient(
      EnrollmentService,
      this.#enrollAddress,
      enrollCredentials(rootPem, token.trustDomain),
      CONTROL_PLANE_CHANNEL,
    );
    try {
      const answer = await unary<{ svid?: SvidMessage | undefined }>(
        (options, callback) => client.enroll({ token: token.compact, csr }, new Metadata(), options, callback),
        signal,
      );
      return this.#read(answer.svid, { key, trustDomain: token.trustDomain, nodeId: token.nodeId, nowMs: this.#now() });
    } catch (error) {
      throw coded("enrol_refused", "enrol at", this.#enrollAddress, withAdvice(error, token, this.#now()));
    } finally {
      client.close();
    }
  }

  /** The next SVID, proved by the present one. Errors: renew_refused, svid_invalid. */
  async renew(present: Svid, signal: AbortSignal): Promise<Svid> {
    const { key, csr } = await newRequest();
    const client = grpcClient(CertificateService, this.#meshAddress, meshCredentials(present), CONTROL_PLANE_CHANNEL);
    try {
      const answer = await unary<{ svid?: SvidMessage | undefined }>(
        (options, callback) => client.renew({ csr }, new Metadata(), options, callback),
        signal,
      );
      const { trustDomain, nodeId } = present;
      return this.#read(answer.svid, { key, trustDomain, nodeId, nowMs: this.#now() });
    } catch (error) {
      throw coded("renew_refused", "renew at", this.#meshAddress, error);
    } finally {
      client.close();
    }
  }

  #read(message: SvidMessage | undefined, expected: Expected): Svid {
    const read = readSvid(message, expected);
    if (!read.ok) throw new SidecarError("svid_invalid", `SVID from the control plane is unusable: ${read.message}`);
    return read.value;
  }
}

async function newRequest(): Promise<{ key: PrivateKey; csr: Uint8Array }> {
  const { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject } = await newKeyPair("ec", {
    namedCurve: "P-256",
  });
  const spki = publicKey.export({ type: "spki", format: "der" });
  return { key: new PrivateKey(privateKey), csr: encodeCsr(spki, (content) => sign("sha256", content, privateKey)) };
}

async function unary<Answer>(
  start: (
    options: { deadline: number },
    callback: (error: ServiceError | null, answer?: Answer) => void,
  ) => { cancel: () => void },
  signal: AbortSignal,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const call = start({ deadline: Date.now() + CALL_TIMEOUT_MS }, (error, answer) => {
    if (error) reject(error);
    else if (answer === undefined) reject(new Error("empty answer"));
    else resolve(answer);
  });
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

function withAdvice(error: unknown, token: EnrolmentToken, nowMs: number): unknown {
  if (!(error instanceof Error && "code" in error && error.code === status.UNAUTHENTICATED)) return error;
  return new Error(`${error.message}: ${adviceAbout(token, nowMs)}`, { cause: error });
}

function coded(code: "enrol_refused" | "renew_refused", what: string, address: string, error: unknown): unknown {
  if (error instanceof SidecarError || !(error instanceof Error)) return error;
  return new SidecarError(code, `${what} ${address}: ${error.message}`, error);
}

/** Host and port of an address that config has checked. */
function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
