import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { CliError, reasonOf } from "../errors.ts";

/** Something written piece by piece. */
export interface PieceWriter {
  /** Resolves with false once nobody reads any more. @throws CliError usage: it can't be written. */
  write(text: string): Promise<boolean>;
  /** What was written is whole, and stands under its name. @throws CliError usage. */
  finish(): Promise<void>;
  /** Nothing stays of what was not finished. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A file that only its owner may read; it has its name once it is whole. @throws CliError usage: it can't be made. */
export async function openPrivateFile(path: string): Promise<PieceWriter> {
  const unfinished = `${path}.${randomUUID()}`;
  const fail = (error: unknown): never => {
    throw new CliError("usage", `could not write ${path}: ${reasonOf(error)}`, { cause: error });
  };
  const file: FileHandle = await open(unfinished, "wx", 0o600).catch(fail);
  let isFinished = false;
  return {
    async write(text) {
      await file.writeFile(text).catch(fail);
      return true;
    },
    async finish() {
      await file.close().catch(fail);
      await rename(unfinished, path).catch(fail);
      isFinished = true;
    },
    async [Symbol.asyncDispose]() {
      if (isFinished) return;
      await file.close().catch(() => {
        // Closed already, or of no use.
      });
      await rm(unfinished, { force: true });
    },
  };
}
