import zlib, { crc32 } from "node:zlib";
import type { CompressionName } from "./decode/envelope.ts";

export type DecompressResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly kind: "malformed" | "too_large"; readonly problem: string };

/** So much is decompressed in passing, some 15 µs; more waits for a thread, because the loop has others to answer. */
const IN_PASSING_BYTES = 16 * 1024;
const IN_PASSING_PLAIN_BYTES = 256 * 1024;

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
type Options = zlib.ZlibOptions & zlib.BrotliOptions;
type Sync = (bytes: Uint8Array, options: Options) => Buffer;
type Async = (bytes: Uint8Array, options: Options, done: (error: Error | null, result: Buffer) => void) => void;

const CODECS: Readonly<Record<CompressionName, readonly [Sync, Async]>> = {
  // A gzip member by hand: node goes on with a second one, and many others stop there.
  gzip: [zlib.inflateRawSync, zlib.inflateRaw],
  // In HTTP and gRPC, `deflate` is zlib's format (RFC 1950).
  deflate: [zlib.inflateSync, zlib.inflate],
  br: [zlib.brotliDecompressSync, zlib.brotliDecompress],
};

/** Stops at `maxBytes`. All of `bytes` must be one stream: what follows it, other servers may read or not. Never throws. */
export function decompress(
  name: CompressionName,
  bytes: Uint8Array,
  maxBytes: number,
): DecompressResult | Promise<DecompressResult> {
  const start = name === "gzip" ? gzipHeaderBytes(bytes) : 0;
  if (start === undefined) return malformed(name);
  const [now, later] = CODECS[name];
  const stream = bytes.subarray(start);
  const judge = (inflated: unknown) => judgeEnd(name, stream, inflated as Inflated, maxBytes);
  if (stream.byteLength <= IN_PASSING_BYTES) {
    const plainBytes = Math.min(maxBytes, IN_PASSING_PLAIN_BYTES);
    try {
      return judge(now(stream, { info: true, maxOutputLength: plainBytes }));
    } catch (error) {
      if (!isTooLong(error)) return malformed(name);
      if (plainBytes === maxBytes) return tooLarge(maxBytes);
    }
  }
  return new Promise((resolve) =>
    later(stream, { info: true, maxOutputLength: maxBytes }, (error, inflated) =>
      resolve(error === null ? judge(inflated) : isTooLong(error) ? tooLarge(maxBytes) : malformed(name)),
    ),
  );
}

function judgeEnd(name: CompressionName, stream: Uint8Array, { buffer, engine }: Inflated, maxBytes: number) {
  const rest = stream.subarray(engine.bytesWritten);
  if (buffer.byteLength > maxBytes) return tooLarge(maxBytes);
  if (name !== "gzip") return rest.byteLength === 0 ? { ok: true as const, bytes: buffer } : malformed(name);
  const trailer = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
  return rest.byteLength === 8 &&
    trailer.getUint32(0, true) === crc32(buffer) &&
    trailer.getUint32(4, true) === buffer.byteLength
    ? { ok: true as const, bytes: buffer }
    : malformed(name);
}

const malformed = (name: CompressionName): DecompressResult => ({
  ok: false,
  kind: "malformed",
  problem: `the message is not exactly one ${name} stream`,
});
const tooLarge = (maxBytes: number): DecompressResult => ({
  ok: false,
  kind: "too_large",
  problem: `more than ${maxBytes} bytes, decompressed`,
});

const isTooLong = (error: unknown) =>
  error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";

const EXTRA = 4;
const NAME = 8;
const COMMENT = 16;

/** Where the deflate stream of a gzip member starts. Source: RFC 1952, 2.3; header checksums and reserved flags are refused. */
function gzipHeaderBytes(bytes: Uint8Array): number | undefined {
  const [id1, id2, method, flags = 0] = bytes;
  if (id1 !== 0x1f || id2 !== 0x8b || method !== 8 || (flags & ~(1 | EXTRA | NAME | COMMENT)) !== 0) return undefined;
  let at = 10;
  if ((flags & EXTRA) !== 0) at += 2 + (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
  for (const text of [NAME, COMMENT])
    if ((flags & text) !== 0) {
      const end = bytes.indexOf(0, at);
      if (end === -1) return undefined;
      at = end + 1;
    }
  return at <= bytes.byteLength ? at : undefined;
}
