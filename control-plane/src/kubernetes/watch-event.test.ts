import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KubernetesError } from "./errors.ts";
import { readListPage, readWatchLine } from "./watch-event.ts";
import { LineCutter } from "./watch-lines.ts";

/** The name of the error that it throws, or "nothing". */
function thrownBy(act: () => unknown): string {
  try {
    act();
    return "nothing";
  } catch (error) {
    return error instanceof Error ? error.name : "no error";
  }
}

describe("lines", () => {
  test("come out as they went in, however they are cut", () => {
    const lines = fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", " ")));
    fc.assert(
      fc.property(lines, fc.array(fc.nat(20)), fc.string({ maxLength: 5 }), (wanted, cuts, rest) => {
        const bytes = Buffer.from(`${wanted.map((line) => `${line}\n`).join("")}${rest.replaceAll("\n", " ")}`);
        const cutter = new LineCutter(10_000);
        const found: string[] = [];
        let at = 0;
        for (const length of [...cuts, bytes.length]) {
          found.push(...cutter.push(bytes.subarray(at, at + length)));
          at += length;
        }
        expect(found).toEqual(wanted.filter((line) => line !== ""));
      }),
    );
  });

  test("that are too long are refused, ended or not", () => {
    expect(() => [...new LineCutter(4).push(Buffer.from("12345"))]).toThrow(KubernetesError);
    const cutter = new LineCutter(4);
    expect([...cutter.push(Buffer.from("1234\n12"))]).toEqual(["1234"]);
    expect(() => [...cutter.push(Buffer.from("345\n"))]).toThrow("more than 4 bytes");
  });
});

describe("an event", () => {
  test("of an object without a namespace goes by its name", () => {
    const object = { metadata: { name: "node-1", resourceVersion: "5" } };
    const event = readWatchLine(JSON.stringify({ type: "ADDED", object }));
    expect(event).toEqual({ kind: "put", object: { key: "node-1", resourceVersion: "5", raw: object } });
  });

  test("of an error is the server's", () => {
    const line = '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}';
    expect(() => readWatchLine(line)).toThrow(expect.objectContaining({ status: 410, reason: "Expired" }));
    expect(() => readWatchLine('{"type":"ERROR"}')).toThrow(expect.objectContaining({ status: 0 }));
  });

  test("that is none, and a list that is none, throw nothing but our error", () => {
    const object = fc.record({ metadata: fc.record({ name: fc.anything(), resourceVersion: fc.anything() }) });
    const event = fc.record({ type: fc.constantFrom("ADDED", "DELETED", "BOOKMARK", "ERROR", "X"), object });
    const anything = fc.oneof(event, object, fc.record({ metadata: fc.anything(), items: fc.anything() }), fc.json());
    fc.assert(
      fc.property(anything, (value) => {
        const line = JSON.stringify(value);
        expect(["nothing", "KubernetesError"]).toContain(thrownBy(() => readWatchLine(line)));
        expect(["nothing", "KubernetesError"]).toContain(thrownBy(() => readListPage(value)));
      }),
    );
  });
});
