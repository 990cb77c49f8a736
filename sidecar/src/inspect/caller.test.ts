import fc from "fast-check";
import { expect, test } from "vitest";
import { callerOf } from "./caller.ts";

const id = "spiffe://bank.example/ns/shop/sa/web";
const by = "By=spiffe://bank.example/ns/models/sa/digits";

test.each<[what: string, header: string | undefined, caller: string | undefined]>([
  ["no header is no caller", undefined, undefined],
  ["an empty one is no caller", "", undefined],
  ["URI alone", `URI=${id}`, id],
  ["as Envoy writes it", `${by};Hash=a1;URI=${id}`, id],
  ["before other fields", `URI=${id};DNS=x.example`, id],
  ["in another case", `uri=${id}`, id],
  ["in quotes", `Hash=a1;URI="${id}"`, id],
  ["behind a quoted field with separators", `Subject="CN=a;URI=spiffe://x/y,O=\\"b\\"";URI=${id}`, id],
  ["an id with a comma, in quotes", `URI="spiffe://a/b,c;d"`, "spiffe://a/b,c;d"],
  ["escaped in quotes", `URI="a\\"b\\\\c"`, 'a"b\\c'],
  ["a certificate without URI", `${by};Hash=a1;URI=`, undefined],
  ["a certificate without a field", `${by};Hash=a1`, undefined],
  ["two URIs are nobody", `URI=${id};URI=spiffe://bank.example/ns/shop/sa/admin`, undefined],
  ["two certificates are nobody", `URI=${id},URI=${id}`, undefined],
  ["two certificates in quotes are nobody", `URI="${id}",Hash=a`, undefined],
  ["quotes that do not end", `URI="${id}`, undefined],
  ["quotes that end amid a value", `URI="${id}"x`, undefined],
  ["no field at all", id, undefined],
])("%s", (_, header, caller) => {
  expect(callerOf(header)).toBe(caller);
});

test("a quoted value is read as it was meant", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (value) => {
      expect(callerOf(`Hash=a;URI="${value.replaceAll(/[\\"]/g, "\\$&")}"`)).toBe(value);
    }),
  );
});

test("never throws", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[URI=";,\\a]*$/), (header) => {
      expect(() => callerOf(header)).not.toThrow();
    }),
  );
});
