import type { DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { REQUEST_SCAN_LIMITS, scanBinary, scanJson } from "@hedgerow/proto/scan";
import type { ByteBudget } from "./byte-budget.ts";
import { COMPRESSIONS, type Compression } from "./compression.ts";
import { dropFarDeadline } from "./far-deadline.ts";

export interface GuardOptions {
  readonly maxRequestBytes: number;
  readonly budget: ByteBudget;
}

export interface GuardedRequest {
  readonly request: UniversalServerRequest;
  /** Gives back what the request took of the budget; once, when its answer is done. */
  readonly release: () => void;
}

/** A gRPC or Connect frame: flags, then the message's length, big-endian. */
const FRAME_HEADER_BYTES = 5;
const COMPRESSED = 1;
/** Of an HTTP/1.1 body that is too large: read and dropped, so that the caller reads the answer; beyond, cut off. */
const DISCARD_BYTES = 64 * 1024 * 1024;

/**
 * The same request with a body that is read, decompressed and scanned before Connect decodes it. Connect alone would
 * build whatever the bytes claim: 4 MiB of empty tensors become 2 million objects. Every RPC here has one request
 * message. Errors come out of the body, where Connect shapes them for the caller's protocol: `resource_exhausted` for
 * what is too large, `invalid_argument` for what is not well-formed.
 */
export function guardRequest(
  request: UniversalServerRequest,
  input: DescMessage,
  options: GuardOptions,
): GuardedRequest {
  const { maxRequestBytes, budget } = options;
  const type = request.header.get("content-type")?.toLowerCase() ?? "";
  const json = type.includes("json");
  const framed = type.startsWith("application/grpc") || type.startsWith("application/connect+");
  const header = new Headers(request.header);
  dropFarDeadline(header);
  const compression = compressionOf(header, type);
  let takenBytes = 0;
  const take = (bytes: number) => {
    if (!budget.take(bytes))
      throw new ConnectError(
        `the requests in flight have more than ${budget.limitBytes} bytes together`,
        Code.ResourceExhausted,
      );
    takenBytes += bytes;
  };
  const release = () => {
    budget.give(takenBytes);
    takenBytes = 0;
  };
  const tooLarge = () => new ConnectError(`the request has more than ${maxRequestBytes} bytes`, Code.ResourceExhausted);

  async function read(): Promise<Buffer> {
    const most = maxRequestBytes + (framed ? FRAME_HEADER_BYTES : 0);
    // HTTP/2 can refuse a body that is still coming. Over HTTP/1.1 the answer would meet a client that does not read yet.
    const discardBytes = request.httpVersion.startsWith("2") ? 0 : DISCARD_BYTES;
    if (Number(request.header.get("content-length")) > most + discardBytes) throw tooLarge();
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > most + discardBytes) throw tooLarge();
      if (bytes > most) {
        release();
        chunks.length = 0;
      } else {
        take(chunk.byteLength);
        chunks.push(chunk);
      }
    }
    if (bytes > most) throw tooLarge();
    const [only] = chunks;
    return chunks.length === 1 && only instanceof Buffer ? only : Buffer.concat(chunks, bytes);
  }

  async function decompress(message: Uint8Array, by: Compression): Promise<Uint8Array<ArrayBuffer>> {
    try {
      const plain = await by.decompress(Uint8Array.from(message), maxRequestBytes);
      take(plain.byteLength);
      return plain;
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code === Code.ResourceExhausted || isTooLong(error)) throw tooLarge();
      throw new ConnectError(`the request is not ${by.name} data`, Code.InvalidArgument);
    }
  }

  function scan(message: Uint8Array): void {
    const result = json ? scanJson(message, REQUEST_SCAN_LIMITS) : scanBinary(input, message, REQUEST_SCAN_LIMITS);
    if (result.ok) return;
    throw result.kind === "too_large"
      ? new ConnectError(`the request has ${result.problem}`, Code.ResourceExhausted)
      : new ConnectError(`the request is no ${input.name}: ${result.problem}`, Code.InvalidArgument);
  }

  async function* guarded(): AsyncGenerator<Uint8Array> {
    const body = await read();
    if (!framed) {
      const message = compression === undefined ? body : await decompress(body, compression);
      scan(message);
      yield message;
      return;
    }
    // Connect says of a request without a message what it must say.
    if (body.byteLength === 0) return;
    const { flags, message } = unframed(body);
    if (flags !== COMPRESSED) {
      scan(message);
      yield body;
      return;
    }
    if (compression === undefined)
      throw new ConnectError("the frame is compressed, but no header says how", Code.InvalidArgument);
    const plain = await decompress(message, compression);
    scan(plain);
    const frame = Buffer.alloc(FRAME_HEADER_BYTES);
    frame.writeUInt32BE(plain.byteLength, 1);
    yield frame;
    yield plain;
  }

  return { request: { ...request, header, body: guarded() }, release };
}

/** What the body is compressed with. Takes the headers away that would no longer be true of what Connect reads. */
function compressionOf(header: Headers, type: string): Compression | undefined {
  const headerName = type.startsWith("application/grpc")
    ? "grpc-encoding"
    : type.startsWith("application/connect+")
      ? "connect-content-encoding"
      : "content-encoding";
  const name = header.get(headerName);
  const compression = COMPRESSIONS.find((known) => known.name === name);
  header.delete("content-length");
  // One that we don't know stays, and Connect refuses it without reading the body.
  if (headerName === "content-encoding" && compression !== undefined) header.delete(headerName);
  return compression;
}

function unframed(body: Buffer): { readonly flags: number; readonly message: Uint8Array } {
  if (body.byteLength < FRAME_HEADER_BYTES)
    throw new ConnectError(`the frame has ${body.byteLength} bytes, expected at least 5`, Code.InvalidArgument);
  const flags = body.readUInt8(0);
  const length = body.readUInt32BE(1);
  const message = body.subarray(FRAME_HEADER_BYTES);
  if (flags > COMPRESSED) throw new ConnectError(`the frame has flags ${flags}, expected 0 or 1`, Code.InvalidArgument);
  if (length !== message.byteLength)
    throw new ConnectError(
      `the frame claims ${length} bytes and ${message.byteLength} follow, expected one message`,
      Code.InvalidArgument,
    );
  return { flags, message };
}

const isTooLong = (error: unknown) =>
  error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
