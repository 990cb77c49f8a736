import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import type { Witness } from "@hedgerow/ledger/store";
import { grpcClient } from "@hedgerow/proto";
import { type CertifyKeyResponse, WitnessService } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import { channelCredentials, type PeerFiles } from "./peer.ts";

export interface WitnessOptions {
  readonly files: PeerFiles;
  /** Asked for each call: a control plane that comes back listens elsewhere. */
  readonly address: () => Promise<string>;
  readonly policy: string;
}

/** The witness as a ledger's writer calls it. */
export function witnessClient({ files, address, policy }: WitnessOptions): Witness {
  const call = async <Answer>(
    start: (
      client: ReturnType<typeof open>,
      options: { deadline: number },
      callback: (error: Error | null, answer?: Answer) => void,
    ) => void,
  ) => {
    const client = open(await address());
    try {
      return await new Promise<Answer>((resolve, reject) =>
        start(client, { deadline: Date.now() + 10_000 }, (error, answer) =>
          answer === undefined ? reject(error ?? new Error("no answer")) : resolve(answer),
        ),
      );
    } finally {
      client.close();
    }
  };
  const open = (at: string) => grpcClient(WitnessService, at, channelCredentials(files.ca, files));
  return {
    certify: async (publicKey) => {
      const { certificateChain, notAfter } = await call<CertifyKeyResponse>((client, options, callback) =>
        client.certifyKey({ publicKey }, new Metadata(), options, callback),
      );
      return { chain: certificateChain, notAfterMs: notAfter === undefined ? 0 : timestampMs(notAfter) };
    },
    countersign: async (checkpoint) => {
      try {
        const { witness, last } = await call<{ witness: string; last: string }>((client, options, callback) =>
          client.countersign({ checkpoint, policy }, new Metadata(), options, callback),
        );
        return last === "" ? { kind: "witnessed", witness } : { kind: "behind", last };
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === status.FAILED_PRECONDITION)
          return { kind: "refused", problem: error.message };
        throw error;
      }
    },
  };
}
