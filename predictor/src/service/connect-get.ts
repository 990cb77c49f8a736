import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { readConnectGet } from "@hedgerow/proto/scan";

/**
 * A Connect GET as the POST that it stands for, so that its message passes the same limits and scans. Connect alone would
 * take it out of the URL unseen, and of two messages the first. The caller's own body is not read.
 */
export function postOfGet(request: UniversalServerRequest): UniversalServerRequest {
  const { search } = new URL(request.url);
  const get = readConnectGet(search.replace(/^\?/, ""));
  const header = new Headers(request.header);
  for (const name of ["content-type", "content-encoding", "content-length"]) header.delete(name);
  if (!get.ok) {
    // Without a type Connect answers 415; with one it asks for the body, and says what that throws.
    if (get.kind === "malformed") header.set("content-type", "application/proto");
    return { ...request, method: "POST", header, body: failing(`the request's query: ${get.problem}`) };
  }
  const { json, compression, message } = get.value;
  header.set("content-type", json ? "application/json" : "application/proto");
  if (compression !== undefined) header.set("content-encoding", compression);
  return { ...request, method: "POST", header, body: once(message) };
}

async function* once(message: Uint8Array): AsyncGenerator<Uint8Array> {
  yield message;
}

function failing(problem: string): AsyncIterable<Uint8Array> {
  const next = async () => await Promise.reject(new ConnectError(problem, Code.InvalidArgument));
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
