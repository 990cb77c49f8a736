import { DATATYPES, type Datatype } from "@hedgerow/proto/tensor";
import { expect, test } from "vitest";
import { datatypeOfRuntime, RUNTIME_TYPES } from "./runtime-type.ts";

test.each(Object.keys(DATATYPES) as Datatype[])("%s is found again by the runtime's name", (datatype) => {
  expect(datatypeOfRuntime(RUNTIME_TYPES[datatype])).toBe(datatype);
});

test("strings are not served", () => {
  expect(datatypeOfRuntime("string")).toBeUndefined();
});
