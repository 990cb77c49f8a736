import { promisify } from "node:util";
import zlib from "node:zlib";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";

const deflate = promisify(zlib.deflate);
const inflate = promisify(zlib.inflate);

/** A compression as Connect takes it. */
export type Compression = typeof compressionGzip;

/** gRPC's `deflate` is zlib's format (RFC 1950); tritonclient offers it. */
const compressionDeflate: Compression = {
  name: "deflate",
  compress: async (bytes) => new Uint8Array(await deflate(bytes)),
  decompress: async (bytes, maxOutputLength) => new Uint8Array(await inflate(bytes, { maxOutputLength })),
};

/** What requests may be compressed with and answers are, in the server's order of preference. */
export const COMPRESSIONS: readonly Compression[] = [compressionGzip, compressionBrotli, compressionDeflate];
