// Of RFC 1035 what a resolver in a pod needs: one question, address records, and names that do not exist.

const headerBytes = 12;
const ttlSeconds = 5;
// What fits a message without extensions (512 bytes) beside a question of the greatest length.
const maxAnswers = 13;
const classInternet = 1;
const typeAddress = 1;

export interface Question {
  /** In lower case, without the final dot. */
  readonly name: string;
  /** True for IPv4 addresses; whatever else is asked for, a name that exists has none of it. */
  readonly wantsAddresses: boolean;
}

/** Undefined for what is not one whole question. */
export function readQuestion(message: Uint8Array): Question | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (bytes.length < headerBytes || (bytes.readUInt8(2) & 0x80) !== 0 || bytes.readUInt16BE(4) !== 1) return undefined;
  const end = questionEnd(bytes);
  if (end === undefined) return undefined;
  const labels: string[] = [];
  for (let at = headerBytes; bytes.readUInt8(at) !== 0; at += bytes.readUInt8(at) + 1)
    labels.push(bytes.toString("latin1", at + 1, at + 1 + bytes.readUInt8(at)));
  const isInternet = bytes.readUInt16BE(end - 2) === classInternet;
  const wantsAddresses = isInternet && bytes.readUInt16BE(end - 4) === typeAddress;
  return { name: labels.join(".").toLowerCase(), wantsAddresses };
}

/** Where type and class behind the name end. */
function questionEnd(bytes: Buffer): number | undefined {
  let at = headerBytes;
  for (;;) {
    if (at >= bytes.length) return undefined;
    const length = bytes.readUInt8(at);
    at += length + 1;
    if (length === 0) return at + 4 <= bytes.length ? at + 4 : undefined;
    // A pointer, or a label of a kind that nobody sends in a question.
    if (length > 63) return undefined;
  }
}

/** The answer to a message that readQuestion accepted: addresses, none, or that there is no such name (undefined). */
export function answer(message: Uint8Array, addresses: readonly string[] | undefined): Buffer {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const records = (addresses ?? []).slice(0, maxAnswers).map((address) => {
    const record = Buffer.alloc(16);
    // The name: a pointer to the question's.
    record.writeUInt16BE(0xc000 | headerBytes, 0);
    record.writeUInt16BE(typeAddress, 2);
    record.writeUInt16BE(classInternet, 4);
    record.writeUInt32BE(ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    record.set(address.split(".").map(Number), 12);
    return record;
  });
  const header = Buffer.alloc(headerBytes);
  bytes.copy(header, 0, 0, 2);
  const recursionDesired = bytes.readUInt16BE(2) & 0x0100;
  // An authoritative answer; recursion is offered, or some resolvers would not take it.
  header.writeUInt16BE(0x8480 | recursionDesired | (addresses === undefined ? 3 : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, bytes.subarray(headerBytes, questionEnd(bytes)), ...records]);
}
