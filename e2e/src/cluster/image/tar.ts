// The format: POSIX ustar, and pax records for names that it cannot hold. Times and owners are left out, so that the same
// files are the same bytes.

/** What an archive holds: contents of a file follow its header, filled up to whole blocks. */
export type Entry =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly bytes: number }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const block = 512;
const nameBytes = 100;
const typeFlags = { file: "0", link: "2", directory: "5", pax: "x" };

/** What ends an archive. */
export const end: Uint8Array = new Uint8Array(2 * block);

/** The zeros that fill up contents of that length. */
export function padding(bytes: number): Uint8Array {
  return new Uint8Array((block - (bytes % block)) % block);
}

/** The header of an entry; its path is relative to the archive's root. */
export function header(entry: Entry): Buffer {
  const path = entry.kind === "directory" ? `${entry.path}/` : entry.path;
  const target = entry.kind === "link" ? entry.target : "";
  const records = [
    ...(Buffer.byteLength(path) > nameBytes ? [record("path", path)] : []),
    ...(Buffer.byteLength(target) > nameBytes ? [record("linkpath", target)] : []),
  ].join("");
  const mode = entry.kind === "link" ? 0o777 : entry.mode;
  const own = ustar(typeFlags[entry.kind], path, mode, entry.kind === "file" ? entry.bytes : 0, target);
  if (records === "") return own;
  const contents = Buffer.from(records);
  return Buffer.concat([
    ustar(typeFlags.pax, "pax", 0o644, contents.length, ""),
    contents,
    padding(contents.length),
    own,
  ]);
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function ustar(type: string, path: string, mode: number, bytes: number, target: string): Buffer {
  const out = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number) => out.write(value.toString(8).padStart(digits, "0"), at);
  out.write(path, 0, nameBytes);
  octal(mode & 0o7777, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(bytes, 124, 11);
  octal(0, 136, 11);
  // The checksum counts its own field as blanks.
  out.write("        ", 148);
  out.write(type, 156);
  out.write(target, 157, nameBytes);
  out.write("ustar\u000000", 257);
  octal(
    out.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  out.writeUInt8(0, 154);
  return out;
}
