/** What the operating system has, and perhaps not the disk: kept until it is there, as a failed fsync forgets what it did not write. */
export class Unsynced {
  readonly #writes: { readonly bytes: Buffer; readonly offset: number }[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get writes(): readonly { readonly bytes: Buffer; readonly offset: number }[] {
    return this.#writes;
  }

  add(bytes: Buffer, offset: number): void {
    this.#writes.push({ bytes, offset });
    this.#bytes += bytes.length;
  }

  /** All that lies before `offset` is on disk. */
  syncedTo(offset: number): void {
    let count = 0;
    for (const write of this.#writes) {
      if (write.offset + write.bytes.length > offset) break;
      this.#bytes -= write.bytes.length;
      count++;
    }
    this.#writes.splice(0, count);
  }
}
