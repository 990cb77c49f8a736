import { Checkpointer, type CheckpointerOptions, type CheckpointState } from "@hedgerow/ledger/store";
import type { Svid } from "../identity/svid.ts";
import type { Logger } from "../logger.ts";
import { WitnessClient } from "./witness-client.ts";

export interface LedgerCheckpointerOptions {
  readonly writer: CheckpointerOptions["writer"];
  /** NAMESPACE/NAME of the AuditPolicy. */
  readonly policy: string;
  readonly nodeId: string;
  /** HEDGEROW_MESH. */
  readonly meshAddress: string;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** The checkpoints of one ledger, witnessed by the control plane. Nothing is signed before the first SVID. */
export class LedgerCheckpointer implements AsyncDisposable {
  readonly #client: WitnessClient;
  readonly #checkpointer: Checkpointer;

  constructor({ writer, policy, nodeId, meshAddress, now, logger }: LedgerCheckpointerOptions) {
    const client = new WitnessClient(meshAddress, policy);
    this.#client = client;
    this.#checkpointer = new Checkpointer({
      writer,
      node: nodeId,
      spiffe: () => client.spiffeId,
      witness: client,
      now,
      log: logger,
    });
  }

  /** With every new SVID. */
  useCredentials(svid: Svid): void {
    this.#client.useCredentials(svid);
  }

  get state(): CheckpointState {
    return this.#checkpointer.state;
  }

  /** Every 10 s and whenever a segment ends, until `signal`. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return this.#checkpointer.run(signal);
  }

  /** `closed`: the ledger was sealed. Takes at most 10 s where the control plane is away. Rejects when the file can't be written. */
  checkpointNow(options: { readonly closed?: boolean } = {}): Promise<void> {
    return this.#checkpointer.checkpointNow(options);
  }

  /** After the last checkpoint, and before the writer is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checkpointer[Symbol.asyncDispose]();
    this.#client[Symbol.dispose]();
  }
}
