import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readMessage, type Shape } from "./protobuf.ts";
import { isProtobuf, readProtobufPage } from "./protobuf-list.ts";

const shape: Shape = {
  1: { name: "text", type: "text" },
  2: { name: "number", type: "number" },
  3: { name: "boolean", type: "boolean" },
  4: { name: "time", type: "time" },
  5: { name: "port", type: "intOrString" },
  6: { name: "labels", type: "textMap" },
  7: { name: "some", type: "textMap", keys: ["a"] },
  8: { name: "texts", type: "texts" },
  9: { name: "child", type: "message", shape: { 1: { name: "text", type: "text" } } },
  10: { name: "children", type: "messages", shape: { 1: { name: "text", type: "text" } } },
};

function encode(write: (writer: BinaryWriter) => unknown): Buffer {
  const writer = new BinaryWriter();
  write(writer);
  return Buffer.from(writer.finish());
}
const read = (bytes: Buffer): unknown => readMessage(bytes, 0, bytes.length, shape);
const nested = (writer: BinaryWriter, field: number, write: (writer: BinaryWriter) => unknown): void => {
  write(writer.tag(field, WireType.LengthDelimited).fork());
  writer.join();
};
const text = (writer: BinaryWriter, field: number, value: string): BinaryWriter =>
  writer.tag(field, WireType.LengthDelimited).string(value);

/** The name of the error that it throws, or "nothing". */
function thrownBy(act: () => unknown): string {
  try {
    act();
    return "nothing";
  } catch (error) {
    return error instanceof Error ? error.name : "no error";
  }
}

describe("a message", () => {
  test("empty has no fields", () => {
    expect(read(Buffer.alloc(0))).toEqual({});
  });

  test("gives what is picked, and skips the rest", () => {
    const bytes = encode((writer) => {
      text(writer, 1, "größer");
      writer.tag(20, WireType.Bit64).fixed64("1").tag(21, WireType.Bit32).fixed32(1).tag(22, WireType.Varint).uint32(1);
      text(writer, 23, "skipped");
      writer.tag(2, WireType.Varint).uint64("300").tag(3, WireType.Varint).bool(true);
      nested(writer, 4, (time) => time.tag(1, WireType.Varint).int64("1795529424"));
      nested(writer, 5, (port) =>
        port.tag(1, WireType.Varint).int64("1").tag(3, WireType.LengthDelimited).string("grpc"),
      );
      for (const [field, key] of [
        [6, "a"],
        [6, "b"],
        [6, "__proto__"],
        [7, "a"],
        [7, "b"],
      ] as const)
        nested(writer, field, (entry) => text(text(entry, 1, key), 2, `${key}!`));
      text(writer, 8, "x");
      text(writer, 8, "");
      nested(writer, 9, (child) => text(child, 1, "y"));
      nested(writer, 10, (child) => text(child, 1, "z"));
      nested(writer, 10, () => {});
    });
    expect(read(bytes)).toEqual({
      text: "größer",
      number: 300,
      boolean: true,
      time: "2026-11-24T14:10:24Z",
      port: "grpc",
      labels: { a: "a!", b: "b!" },
      some: { a: "a!" },
      texts: ["x", ""],
      child: { text: "y" },
      children: [{ text: "z" }, {}],
    });
  });

  test("leaves out what JSON leaves out, and keeps what JSON keeps", () => {
    const bytes = encode((writer) => {
      text(writer, 1, "");
      writer.tag(2, WireType.Varint).uint32(0).tag(3, WireType.Varint).bool(false);
      nested(writer, 4, () => {});
      nested(writer, 5, (port) => port.tag(1, WireType.Varint).int64("0").tag(2, WireType.Varint).int32(8080));
    });
    expect(read(bytes)).toEqual({ number: 0, boolean: false, port: 8080 });
  });

  test("that is cut short, or none, is refused and nothing worse", () => {
    const whole = encode((writer) => {
      text(writer, 1, "a text");
      nested(writer, 6, (entry) => text(entry, 1, "key"));
      nested(writer, 10, (child) => text(child, 1, "z"));
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .record({ at: fc.nat(whole.length - 1), byte: fc.nat(255), length: fc.nat(whole.length) })
        .map(({ at, byte, length }) => {
          const changed = Buffer.from(whole);
          changed[at] = byte;
          return changed.subarray(0, length);
        }),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        expect(["nothing", "KubernetesError"]).toContain(thrownBy(() => read(Buffer.from(input))));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a list", () => {
  const item: Shape = {
    1: {
      name: "metadata",
      type: "message",
      shape: { 1: { name: "name", type: "text" }, 6: { name: "resourceVersion", type: "text" } },
    },
  };
  const listOf = (write: (writer: BinaryWriter) => unknown): Buffer =>
    Buffer.concat([Buffer.from("k8s\0"), encode((writer) => nested(writer, 2, write))]);

  test("is told from JSON, and read", () => {
    const answer = listOf((list) => {
      nested(list, 1, (metadata) => text(text(metadata, 2, "77"), 3, "more"));
      nested(list, 2, (object) => nested(object, 1, (metadata) => text(text(metadata, 1, "a"), 6, "5")));
    });
    expect([isProtobuf(answer), isProtobuf(Buffer.from('{"k')), isProtobuf(Buffer.alloc(0))]).toEqual([
      true,
      false,
      false,
    ]);
    expect(readProtobufPage(answer, item)).toEqual({
      resourceVersion: "77",
      continueToken: "more",
      objects: [{ key: "a", resourceVersion: "5", raw: { metadata: { name: "a", resourceVersion: "5" } } }],
    });
  });

  test("of nothing is one", () => {
    const answer = listOf((list) => nested(list, 1, (metadata) => text(metadata, 2, "77")));
    expect(readProtobufPage(answer, item)).toMatchObject({ objects: [], continueToken: undefined });
  });

  test("that is none is refused", () => {
    expect(() => readProtobufPage(Buffer.from("k8s\0"), item)).toThrow("no list");
    expect(() =>
      readProtobufPage(
        listOf(() => {}),
        item,
      ),
    ).toThrow("no list with a resourceVersion");
  });
});
