import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Countersigned, Witness } from "@hedgerow/ledger/store";
import { type GrpcClient, grpcClient } from "@hedgerow/proto";
import {
  type CertifyKeyResponse,
  type CountersignResponse,
  WitnessService,
} from "@hedgerow/proto/hedgerow/witness/v1/witness";
import { CONTROL_PLANE_CHANNEL, meshCredentials } from "../identity/mesh-credentials.ts";
import type { Svid } from "../identity/svid.ts";

/** A witness that is slower is away: the next checkpoint comes in 10 s. */
const CALL_TIMEOUT_MS = 5_000;

/** The control plane as witness of one ledger. One connection, kept as long as the SVID that opened it. */
export class WitnessClient implements Witness, Disposable {
  readonly #address: string;
  readonly #policy: string;
  #open: { readonly client: GrpcClient<typeof WitnessService>; readonly spiffeId: string } | undefined;

  constructor(address: string, policy: string) {
    this.#address = address;
    this.#policy = policy;
  }

  get spiffeId(): string | undefined {
    return this.#open?.spiffeId;
  }

  useCredentials(svid: Svid): void {
    const before = this.#open;
    const client = grpcClient(WitnessService, this.#address, meshCredentials(svid), CONTROL_PLANE_CHANNEL);
    this.#open = { client, spiffeId: svid.spiffeId };
    // A call that is under way ends all the same.
    before?.client.close();
  }

  async certify(publicKey: Uint8Array): ReturnType<Witness["certify"]> {
    const { certificateChain, notAfter } = await this.#call<CertifyKeyResponse>((client, options, callback) =>
      client.certifyKey({ publicKey }, new Metadata(), options, callback),
    );
    return { chain: certificateChain, notAfterMs: notAfter === undefined ? 0 : timestampMs(notAfter) };
  }

  async countersign(checkpoint: string): Promise<Countersigned> {
    const policy = this.#policy;
    try {
      const { witness, last } = await this.#call<CountersignResponse>((client, options, callback) =>
        client.countersign({ checkpoint, policy }, new Metadata(), options, callback),
      );
      return last === "" ? { kind: "witnessed", witness } : { kind: "behind", last };
    } catch (error) {
      // What no later attempt of the same would change.
      const isFinal = FINAL.some((code) => error instanceof Error && "code" in error && error.code === code);
      if (isFinal && error instanceof Error) return { kind: "refused", problem: error.message };
      throw error;
    }
  }

  #call<Answer>(
    start: (
      client: GrpcClient<typeof WitnessService>,
      options: { deadline: number },
      callback: (error: ServiceError | null, answer?: Answer) => void,
    ) => void,
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (this.#open === undefined) reject(new Error("there is no SVID yet"));
    else
      start(this.#open.client, { deadline: Date.now() + CALL_TIMEOUT_MS }, (error, answer) => {
        if (error) reject(error);
        else if (answer === undefined) reject(new Error("empty answer"));
        else resolve(answer);
      });
    return promise;
  }

  [Symbol.dispose](): void {
    this.#open?.client.close();
    this.#open = undefined;
  }
}

const FINAL: readonly status[] = [status.FAILED_PRECONDITION, status.PERMISSION_DENIED, status.INVALID_ARGUMENT];
