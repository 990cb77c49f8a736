import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mesh, type MeshOptions, startMesh } from "@hedgerow/e2e";

/**
 * Runs `measure` on a mesh in a directory of its own. Both are gone when it resolves or rejects: with the signal's reason
 * where that comes first, because the parts of a mesh do not hear Ctrl-C themselves.
 */
export async function onMesh<T>(
  options: Omit<MeshOptions, "directory" | "signal">,
  signal: AbortSignal,
  measure: (mesh: Mesh) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-bench-"));
  await using _ = { [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }) };
  await using mesh = await startMesh({ ...options, directory, signal });
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  signal.throwIfAborted();
  return await Promise.race([measure(mesh), aborted]);
}
