import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type CheckpointStretch, type Sink, SinkEmptied, type Stretch, segmentName } from "./sink.ts";

/**
 * Another directory, such as a mounted share: PATH/LEDGER is laid out as the ledger itself is, so that whatever verifies the one verifies
 * the other. A stretch is written where it lies in the original, then forced to disk. What is there is never overwritten by
 * something else: a copy that differs is evidence, and left to people.
 */
export class FileSink implements Sink {
  readonly #directory: string;
  #open: { readonly path: string; readonly handle: FileHandle } | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async begin(ledger: string, identity: Buffer): Promise<void> {
    await mkdir(join(this.#directory, ledger), { recursive: true, mode: 0o700 });
    await replace(join(this.#directory, ledger, "ledger.json"), identity);
  }

  async ship({ ledger, segment, offset, bytes }: Stretch): Promise<void> {
    await this.#write(join(this.#directory, ledger, `${segmentName(segment)}.jsonl`), offset, bytes);
  }

  async shipCheckpoints({ ledger, offset, bytes }: CheckpointStretch): Promise<void> {
    await this.#write(join(this.#directory, ledger, "checkpoints.jsonl"), offset, bytes);
  }

  async putKey(ledger: string, kid: string, wrapped: Buffer): Promise<string> {
    const keys = join(this.#directory, ledger, "keys");
    await mkdir(keys, { recursive: true, mode: 0o700 });
    await replace(join(keys, `${kid}.jwe`), wrapped);
    return "";
  }

  async deleteKey(ledger: string, kid: string): Promise<void> {
    const keys = join(this.#directory, ledger, "keys");
    await rm(join(keys, `${kid}.jwe`), { force: true });
    await syncDirectory(keys);
  }

  close(): void {
    const handle = this.#open?.handle;
    this.#open = undefined;
    // Everything in it has been forced to disk.
    void handle?.close();
  }

  async #write(path: string, offset: number, bytes: Buffer): Promise<void> {
    const handle = await this.#file(path);
    const { size } = await handle.stat();
    if (size < offset) throw new SinkEmptied(`${path} has ${size} bytes, and had ${offset}`);
    const overlap = Math.min(bytes.length, size - offset);
    if (overlap > 0) await expectSame(handle, offset, bytes.subarray(0, overlap), path);
    for (let done = overlap; done < bytes.length; ) {
      done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }
    await handle.datasync();
  }

  /** One is open at a time. */
  async #file(path: string): Promise<FileHandle> {
    if (this.#open?.path === path) {
      // A share that was emptied under us leaves a file that nobody finds.
      if ((await this.#open.handle.stat()).nlink > 0) return this.#open.handle;
    }
    this.close();
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600).catch((error: unknown) => {
      // The directory was made when this ledger was begun here.
      throw isAbsent(error) ? new SinkEmptied(`${dirname(path)} is gone`) : error;
    });
    await syncDirectory(dirname(path));
    this.#open = { path, handle };
    return handle;
  }
}

/** A line that was torn by a crash is the begin of what is written now. */
async function expectSame(handle: FileHandle, offset: number, bytes: Buffer, path: string): Promise<void> {
  const there = Buffer.alloc(bytes.length);
  const { bytesRead } = await handle.read(there, 0, bytes.length, offset);
  if (!there.subarray(0, bytesRead).equals(bytes)) {
    throw new Error(`${path} differs from the ledger after byte ${offset}: nothing is written over it`);
  }
}

async function replace(path: string, bytes: Buffer): Promise<void> {
  await writeFile(`${path}.new`, bytes, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
