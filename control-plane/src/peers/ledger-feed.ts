import { type ServerWritableStream, status } from "@grpc/grpc-js";
import type { WatchLedgersRequest, WatchLedgersResponse } from "@hedgerow/proto/hedgerow/peer/v1/peer";
import type { WitnessedLedger } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import type { WitnessStore } from "../witness/store.ts";

export type LedgersCall = ServerWritableStream<
  WatchLedgersRequest,
  Pick<WatchLedgersResponse, "ledgers"> | { readonly ledgers: WitnessedLedger[] }
>;

/** About 600 KiB. */
const BATCH = 200;

/** Tells one replica what this one knows of ledgers, and goes on telling. What it reads too slowly it hears once, at its newest. */
export function feedLedgers(
  call: LedgersCall,
  store: Pick<WitnessStore, "ids" | "get" | "onWitnessed">,
  failed: (error: unknown) => void,
): { end(): void } {
  const owed = new Set<string>();
  let isOver = false;
  let isWriting = false;
  const next = async () => {
    if (isWriting || isOver || owed.size === 0) return;
    isWriting = true;
    try {
      const ids: string[] = [];
      for (const id of owed) {
        if (ids.length === BATCH) break;
        ids.push(id);
        owed.delete(id);
      }
      const found = await Promise.all(ids.map((id) => store.get(id)));
      const ledgers = found.filter((ledger) => ledger !== undefined);
      await new Promise<void>((resolve) => {
        if (isOver) resolve();
        else call.write({ ledgers }, () => resolve());
      });
    } catch (error) {
      failed(error);
      call.emit("error", { code: status.INTERNAL, details: "ledgers can't be read, the log says why" });
      end();
    }
    isWriting = false;
    void next();
  };
  const forget = store.onWitnessed((ledger) => {
    owed.add(ledger);
    void next();
  });
  const end = () => {
    isOver = true;
    forget();
  };
  for (const id of store.ids()) owed.add(id);
  void next();
  return { end };
}
