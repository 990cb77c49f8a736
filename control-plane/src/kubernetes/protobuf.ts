// Kubernetes' own protobuf, read field by field: for lists that are long, where JSON costs several times the CPU and memory.
import { KubernetesError } from "./errors.ts";
import type { JsonObject } from "./json-fields.ts";

/** What to pick out of a message, and what JSON calls it; all else is skipped. By field number. */
export interface Shape {
  readonly [field: number]: Field;
}

export type Field =
  | { readonly name: string; readonly type: "number" }
  | { readonly name: string; readonly type: "boolean" }
  | { readonly name: string; readonly type: "text" | "time" | "intOrString" }
  /** map<string, string>; `keys`: only these. */
  | { readonly name: string; readonly type: "textMap"; readonly keys?: readonly string[] }
  | { readonly name: string; readonly type: "texts" }
  | { readonly name: string; readonly type: "message" | "messages"; readonly shape: Shape };

/**
 * The picked fields of a message (`bytes` from `start` to `end`) as JSON would have them; empty texts and zero times are left
 * out, as there. Throws KubernetesError BadAnswer: not such a message.
 */
export function readMessage(bytes: Buffer, start: number, end: number, shape: Shape): JsonObject {
  const fields: Record<string, unknown> = {};
  const cursor = new Cursor(bytes, start, end);
  while (cursor.next()) {
    const field = shape[cursor.field];
    if (field === undefined) cursor.skip();
    else if (field.type === "number" || field.type === "boolean") {
      const value = cursor.varint();
      fields[field.name] = field.type === "number" ? value : value !== 0;
    } else {
      const from = cursor.enter();
      take(fields, field, bytes, from, cursor.at);
    }
  }
  return fields;
}

function take(
  fields: Record<string, unknown>,
  field: Exclude<Field, { readonly type: "number" | "boolean" }>,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  switch (field.type) {
    case "text":
      if (end > start) fields[field.name] = bytes.toString("utf8", start, end);
      break;
    case "texts":
      append(fields, field.name, bytes.toString("utf8", start, end));
      break;
    case "message":
      fields[field.name] = readMessage(bytes, start, end, field.shape);
      break;
    case "messages":
      append(fields, field.name, readMessage(bytes, start, end, field.shape));
      break;
    case "time": {
      const { seconds } = readMessage(bytes, start, end, time);
      if (typeof seconds === "number" && seconds > 0 && seconds < 1e11)
        fields[field.name] = new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
      break;
    }
    case "intOrString": {
      const { type, int, text } = readMessage(bytes, start, end, intOrString);
      fields[field.name] = type === 1 ? (text ?? "") : (int ?? 0);
      break;
    }
    case "textMap": {
      const { key, value = "" } = readMessage(bytes, start, end, mapEntry);
      if (typeof key !== "string" || key === "__proto__" || field.keys?.includes(key) === false) break;
      const known = fields[field.name] as Record<string, unknown> | undefined;
      if (known === undefined) fields[field.name] = { [key]: value };
      else known[key] = value;
      break;
    }
  }
}

const time: Shape = { 1: { name: "seconds", type: "number" } };
const intOrString: Shape = {
  1: { name: "type", type: "number" },
  2: { name: "int", type: "number" },
  3: { name: "text", type: "text" },
};
const mapEntry: Shape = { 1: { name: "key", type: "text" }, 2: { name: "value", type: "text" } };

function append(fields: Record<string, unknown>, name: string, value: unknown): void {
  const known = fields[name];
  if (Array.isArray(known)) known.push(value);
  else fields[name] = [value];
}

/** Goes through the fields of one message (protobuf.dev, "Encoding"). */
class Cursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  at: number;
  field = 0;
  #wireType = 0;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.at = start;
    this.#end = end;
  }

  /** Reads the next tag; false at the end. */
  next(): boolean {
    if (this.at >= this.#end) return false;
    const tag = this.#rawVarint();
    this.field = Math.floor(tag / 8);
    this.#wireType = tag % 8;
    return true;
  }

  skip(): void {
    switch (this.#wireType) {
      case 0:
        this.#rawVarint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.enter();
        return;
      case 5:
        this.#advance(4);
        return;
    }
    throw broken(`wire type ${this.#wireType}`);
  }

  varint(): number {
    if (this.#wireType !== 0) throw broken("no number where one is due");
    return this.#rawVarint();
  }

  /** Goes past a field with a length; returns where it starts. */
  enter(): number {
    if (this.#wireType !== 2) throw broken("no length where one is due");
    const length = this.#rawVarint();
    const start = this.at;
    this.#advance(length);
    return start;
  }

  #advance(bytes: number): void {
    this.at += bytes;
    if (this.at > this.#end) throw broken("cut short");
  }

  /** Exact up to 2^53; what is more is no number that we read. */
  #rawVarint(): number {
    let value = 0;
    let unit = 1;
    for (let length = 0; length < 10; length++) {
      const byte = this.at < this.#end ? this.#bytes[this.at] : undefined;
      if (byte === undefined) throw broken("cut short");
      this.at += 1;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 128;
    }
    throw broken("a number that does not end");
  }
}

function broken(message: string): KubernetesError {
  return new KubernetesError(0, "BadAnswer", `answer is not Kubernetes' protobuf: ${message}`);
}
