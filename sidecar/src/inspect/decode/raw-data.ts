import { DATATYPES, type Datatype } from "@hedgerow/proto/tensor";

/** Datatypes that a server may know beside those that ours serves: strings, and Triton's half floats of another kind. */
export type WireDatatype = Datatype | "BYTES" | "BF16";

export function wireDatatype(name: string): WireDatatype | undefined {
  return name === "BYTES" || name === "BF16" || Object.hasOwn(DATATYPES, name) ? (name as WireDatatype) : undefined;
}

/** Why little-endian `bytes` are not `count` elements; undefined: they are. */
export function rawProblem(bytes: Uint8Array, datatype: WireDatatype, count: number): string | undefined {
  if (datatype === "BYTES") return stringsProblem(bytes, count);
  const expected = count * (datatype === "BF16" ? 2 : DATATYPES[datatype].bytes);
  if (bytes.byteLength !== expected) return `${bytes.byteLength} raw bytes, expected ${expected}`;
  const odd = datatype === "BOOL" ? bytes.findIndex((byte) => byte > 1) : -1;
  return odd === -1 ? undefined : `element ${odd} is ${bytes[odd]}, expected 0 or 1 for BOOL`;
}

/** Each element has its length in front, 4 bytes little-endian. */
function stringsProblem(bytes: Uint8Array, count: number): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let found = 0;
  while (at < bytes.byteLength) {
    if (at + 4 > bytes.byteLength) return "BYTES that end within a length";
    at += 4 + view.getUint32(at, true);
    found++;
  }
  if (at !== bytes.byteLength) return "BYTES that end within an element";
  return found === count ? undefined : `${found} BYTES elements, expected ${count}`;
}
