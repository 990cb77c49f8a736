import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** What one message may make a decoder allocate: two bytes on the wire can become hundreds in memory. */
export interface ScanLimits {
  /** Messages, map entries, strings and byte strings. */
  readonly maxObjects: number;
  /** Elements of repeated numbers. */
  readonly maxValues: number;
}

export type ScanResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly kind: "malformed" | "too_large"; readonly problem: string };

/**
 * Reads a protobuf message without building it: well-formed against its descriptor, its strings UTF-8, and within the
 * limits. What passes can be decoded without surprise. Source: https://protobuf.dev/programming-guides/encoding/
 */
export function scanBinary(schema: DescMessage, bytes: Uint8Array, limits: ScanLimits): ScanResult {
  const scan = new BinaryScan(bytes, limits);
  try {
    scan.message(schema, bytes.byteLength);
    return { ok: true };
  } catch (error) {
    if (error instanceof LimitError) return { ok: false, kind: "too_large", problem: error.message };
    const problem = error instanceof Error ? error.message : String(error);
    return { ok: false, kind: "malformed", problem };
  }
}

class LimitError extends Error {}

// The schema bounds the depth of what it knows; unknown groups need a bound of their own.
const DEEPEST_GROUP = 10;
const SCALAR_WIRE_TYPE: Readonly<Record<ScalarType, WireType>> = {
  [ScalarType.DOUBLE]: WireType.Bit64,
  [ScalarType.FLOAT]: WireType.Bit32,
  [ScalarType.INT64]: WireType.Varint,
  [ScalarType.UINT64]: WireType.Varint,
  [ScalarType.INT32]: WireType.Varint,
  [ScalarType.FIXED64]: WireType.Bit64,
  [ScalarType.FIXED32]: WireType.Bit32,
  [ScalarType.BOOL]: WireType.Varint,
  [ScalarType.STRING]: WireType.LengthDelimited,
  [ScalarType.BYTES]: WireType.LengthDelimited,
  [ScalarType.UINT32]: WireType.Varint,
  [ScalarType.SFIXED32]: WireType.Bit32,
  [ScalarType.SFIXED64]: WireType.Bit64,
  [ScalarType.SINT32]: WireType.Varint,
  [ScalarType.SINT64]: WireType.Varint,
};

class BinaryScan {
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  readonly #limits: ScanLimits;
  #objects = 0;
  #values = 0;

  constructor(bytes: Uint8Array, limits: ScanLimits) {
    this.#bytes = bytes;
    this.#reader = new BinaryReader(bytes);
    this.#limits = limits;
  }

  message(schema: DescMessage, end: number): void {
    const reader = this.#reader;
    const fields = fieldsOf(schema);
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      const field = fields.get(number);
      if (field === undefined) reader.skip(wireType, number, DEEPEST_GROUP);
      else this.#field(field, wireType, end);
    }
    if (reader.pos !== end) throw new Error(`${schema.name} runs over its end`);
  }

  #field(field: DescField, wireType: WireType, end: number): void {
    const isMessageList = field.fieldKind === "list" && field.listKind === "message";
    if (field.fieldKind === "message" || field.fieldKind === "map" || isMessageList) {
      this.#expect(field, wireType, WireType.LengthDelimited);
      this.#countObject();
      const inner = this.#span(field, end);
      if (field.fieldKind === "map") this.#mapEntry(field, inner);
      else this.message(messageOf(field), inner);
      return;
    }
    const scalar = field.scalar;
    if (scalar === undefined) throw new Error(`${field.name} is of a kind that this service has not`);
    const expected = SCALAR_WIRE_TYPE[scalar];
    if (expected === WireType.LengthDelimited) {
      this.#expect(field, wireType, expected);
      this.#countObject();
      this.#text(field, scalar, end);
    } else if (field.fieldKind === "list") {
      if (wireType === WireType.LengthDelimited) this.#packed(field, expected, end);
      else {
        this.#expect(field, wireType, expected);
        this.#countValues(1);
        this.#reader.skip(wireType);
      }
    } else {
      this.#expect(field, wireType, expected);
      this.#reader.skip(wireType);
    }
  }

  #mapEntry(field: DescField & { fieldKind: "map" }, end: number): void {
    const reader = this.#reader;
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      if (number === 1 && field.mapKey === ScalarType.STRING) {
        this.#expect(field, wireType, WireType.LengthDelimited);
        this.#text(field, field.mapKey, end);
      } else if (number === 2 && field.mapKind === "message") {
        this.#expect(field, wireType, WireType.LengthDelimited);
        this.message(field.message, this.#span(field, end));
      } else throw new Error(`${field.name} has an entry with field ${number}`);
    }
    if (reader.pos !== end) throw new Error(`${field.name} runs over its end`);
  }

  /** Where the length-delimited thing that starts here ends. */
  #span(field: DescField, end: number): number {
    const length = this.#reader.uint32();
    const inner = this.#reader.pos + length;
    if (inner > end) throw new Error(`${field.name} claims ${length} bytes, ${end - this.#reader.pos} are left`);
    return inner;
  }

  #text(field: DescField, scalar: ScalarType, end: number): void {
    const inner = this.#span(field, end);
    if (scalar === ScalarType.STRING && !isUtf8(this.#bytes, this.#reader.pos, inner))
      throw new Error(`${field.name} is not UTF-8`);
    this.#reader.pos = inner;
  }

  #packed(field: DescField, wireType: WireType, end: number): void {
    const inner = this.#span(field, end);
    const start = this.#reader.pos;
    if (wireType === WireType.Varint) {
      let values = 0;
      let run = 0;
      for (let i = start; i < inner; i++) {
        if ((this.#bytes[i] ?? 0) < 0x80) {
          values++;
          run = 0;
        } else if (++run > 9) throw new Error(`${field.name} has a number of more than 10 bytes`);
      }
      if (run > 0) throw new Error(`${field.name} ends within a number`);
      this.#countValues(values);
    } else {
      const width = wireType === WireType.Bit32 ? 4 : 8;
      if ((inner - start) % width !== 0)
        throw new Error(`${field.name} has ${inner - start} bytes, expected a multiple of ${width}`);
      this.#countValues((inner - start) / width);
    }
    this.#reader.pos = inner;
  }

  #expect(field: DescField, got: WireType, expected: WireType): void {
    if (got !== expected) throw new Error(`${field.name} has wire type ${got}, expected ${expected}`);
  }

  #countObject(): void {
    if (++this.#objects > this.#limits.maxObjects)
      throw new LimitError(`more than ${this.#limits.maxObjects} tensors, parameters and strings`);
  }

  #countValues(count: number): void {
    this.#values += count;
    if (this.#values > this.#limits.maxValues)
      throw new LimitError(`more than ${this.#limits.maxValues} values outside raw_input_contents`);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  // Names are short and ASCII: a loop is done before a decoder has started.
  while (i < end && (bytes[i] ?? 0) < 0x80) i++;
  if (i === end) return true;
  try {
    utf8.decode(bytes.subarray(i, end));
    return true;
  } catch {
    return false;
  }
}

function messageOf(field: DescField): DescMessage {
  if (field.message === undefined) throw new Error(`${field.name} is no message`);
  return field.message;
}

const fieldMaps = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  let fields = fieldMaps.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, field]));
    fieldMaps.set(schema, fields);
  }
  return fields;
}
