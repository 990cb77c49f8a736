import { join } from "node:path";
import { EditRecorder } from "../audit/edit-recorder.ts";
import { directoryKeyStore } from "../ca/key-store.ts";
import { SpentTokens } from "../ca/spent-tokens.ts";
import type { Logger } from "../logger.ts";
import { openDirectorySource } from "../source/directory-source.ts";
import type { World, WorldDeps } from "./world.ts";

/** One control plane alone, with its directory of manifests and its state directory. Resolves with the first view. */
export async function openDirectoryWorld(
  { manifestsDir, stateDir }: { readonly manifestsDir: string; readonly stateDir: string },
  { onView, now }: WorldDeps,
  logger: Logger,
): Promise<World> {
  await using owned = new AsyncDisposableStack();
  const spentTokens = owned.use(await SpentTokens.open(stateDir, now));
  const source = owned.use(
    await openDirectorySource({
      directory: manifestsDir,
      lastGoodFile: join(stateDir, "last-good.json"),
      logger: logger.child({ component: "source" }),
      onChange: onView,
    }),
  );
  const stack = owned.move();
  const alone: ReadonlySet<string> = new Set();
  return {
    view: () => source.view(),
    keyStore: directoryKeyStore(stateDir, now),
    issuance: { spentTokens, attestPod: undefined },
    elsewhere: { reports: () => [], lost: () => [], ready: () => alone },
    metrics: () => [],
    replicaName: "control-plane",
    attach: ({ audit, witness }) => {
      const edits = new EditRecorder({
        manifestsDir,
        stateDir,
        view: () => source.view(),
        ledger: audit,
        logger: logger.child({ component: "audit" }),
      });
      return {
        meshServices: [],
        start: async () => edits.viewChanged(),
        viewChanged: () => edits.viewChanged(),
        ledgers: (after, most) => witness.list(after, most),
        [Symbol.asyncDispose]: () => edits[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
