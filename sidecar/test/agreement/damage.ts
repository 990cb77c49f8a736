import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Random } from "./random.ts";

/** Flips bits, cuts, doubles or overwrites a stretch. */
export function damageBytes({ below, oneIn, pick }: Random, valid: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(valid);
  // What decides how it is read stands mostly at its start.
  const at = () => below(oneIn(2) ? Math.max(1, Math.min(80, bytes.length)) : Math.max(1, bytes.length));
  switch (below(4)) {
    case 0:
      for (let flips = 1 + below(4); flips > 0; flips--) {
        const index = at();
        if (index < bytes.length) bytes[index] = (bytes[index] ?? 0) ^ (1 << below(8));
      }
      return bytes;
    case 1:
      return bytes.slice(0, at());
    case 2:
      return Uint8Array.from([...bytes, ...bytes.subarray(at())]);
    default:
      for (let index = at(), left = 1 + below(8); left > 0; left--, index++)
        if (bytes.length > 0) bytes[index % bytes.length] = pick([below(256), 0, 0x80, 0xff]);
      return bytes;
  }
}

/** Well-formed protobuf that readers could disagree on: fields twice, in parts, unknown, or written in another way. */
export function oddBinary({ below, pick }: Random, valid: Uint8Array): Uint8Array {
  const field = (number: number, write: (writer: BinaryWriter) => void) => {
    const writer = new BinaryWriter().tag(number, WireType.LengthDelimited).fork();
    write(writer);
    return writer.join().finish();
  };
  const text = (number: number, value: string) =>
    new BinaryWriter().tag(number, WireType.LengthDelimited).string(value).finish();
  const more = pick<Uint8Array>([
    text(1, pick(["pair", "letters", ""])),
    text(2, pick(["1", "2", ""])),
    text(3, "another"),
    text(7, ""),
    text(99, "unknown"),
    field(5, (input) => input.raw(text(1, "x"))),
    field(5, (input) => input.raw(text(1, "x")).raw(text(2, "FP32")).tag(3, WireType.Varint).int64(1)),
    field(5, (input) =>
      input
        .raw(text(1, "x"))
        .raw(field(5, () => undefined))
        .raw(field(5, () => undefined)),
    ),
    // A group, an overlong length, a wrong wire type, a field without a number.
    Uint8Array.of(0x9b, 0x06, 0x9c, 0x06),
    Uint8Array.of(0x0a, 0x80, 0x80, 0x80, 0x80, 0x00),
    Uint8Array.of(0x08, 0x01),
    Uint8Array.of(0x02, 0x00),
    Uint8Array.of(0x0a, 0x01, pick([0xff, 0xc0, 0xed])),
    Uint8Array.of(below(256), below(256), below(256)),
  ]);
  return pick([() => Uint8Array.from([...valid, ...more]), () => Uint8Array.from([...more, ...valid])])();
}

/** JSON that readers could disagree on. */
export function oddJson({ below, pick }: Random, valid: string): Uint8Array {
  const replaced = (pattern: RegExp, ...by: string[]) => valid.replace(pattern, () => pick(by));
  const NUMBER = /(?<=[[,:])-?\d[\d.e+-]*/;
  const odd = pick<() => string | Uint8Array>([
    () =>
      valid.replace("{", () =>
        pick(['{"modelName":"pair",', '{"model_name":"pair",', String.raw`{"model\u004eame":"pair",`]),
      ),
    () => valid.replace('"modelName"', () => pick(['"model_name"', '"ModelName"', String.raw`"model\u004eame"`])),
    () => valid.replace('"inputs"', '"inputs":[],"inputs"'),
    () => valid.replace('"datatype"', '"datatype":"FP64","datatype"'),
    () => valid.replace('"shape"', '"shape":["1"],"shape"'),
    () => valid.replace("{", '{"unknown":{"a":[{"b":1}]},'),
    () => valid.replace("{", '{"unknown":{"a":1,"a":2},'),
    () => valid.replace("{", '{"__proto__":{"modelName":"pair"},'),
    () => valid.replace("{", `{"unknown":${"[".repeat(50)}${"]".repeat(50)},`),
    () =>
      replaced(
        NUMBER,
        "1e400",
        "NaN",
        '"NaN"',
        '"Infinity"',
        "-0",
        "1.0",
        '"1"',
        "1e39",
        "9007199254740993",
        "null",
        "true",
        "01",
        "+1",
        "0x1",
      ),
    () => replaced(/"-?\d+"/, "1", '"1.0"', '"1e1"', '" 1"', '"9223372036854775808"', '""', "9007199254740993"),
    () => replaced(/:("[^"]*"|\[[^\]]*\])/, ":null", ":[]", ":{}", ':""'),
    () => replaced(/"([^"]*)"/, String.raw`"\ud800"`, String.raw`"\u0000"`, String.raw`"a\ud83c\udf3f"`),
    () => `\ufeff${valid}`,
    () => `${valid}${pick([" ", "\n\t", "{}", ",", "\u0000", "//"])}`,
    () => `${pick([" ", "\u00a0", "[", "/**/"])}${valid}`,
    () => valid.replaceAll(",", pick([" , ", ",,", ",\n"])),
    () =>
      Uint8Array.from([...new TextEncoder().encode(valid)].toSpliced(below(valid.length), 0, pick([0xff, 0xc0, 0x80]))),
  ])();
  return typeof odd === "string" ? new TextEncoder().encode(odd) : odd;
}
