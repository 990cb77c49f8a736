/** The same bytes in a buffer that is theirs alone, and so can be transferred: as they are, or copied out of a larger one. */
export function ownBuffer({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
    ? new Uint8Array(buffer)
    : new Uint8Array(buffer, byteOffset, byteLength).slice();
}
