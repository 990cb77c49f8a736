import { describe, expect, test } from "vitest";
import { composeError, entryOf, namedIn } from "./rejection.ts";

describe("Envoy's words", () => {
  test.each([
    ["that name nothing", "proto constraint validation failed", ["a"], {}],
    [
      "on clusters",
      "Error adding/updating cluster(s) a: no such thing, really, b: bad",
      ["a", "b", "c"],
      { a: "a: no such thing, really", b: "b: bad" },
    ],
    [
      "on listeners",
      "Error adding/updating listener(s) in/1: bad: port\nx/2: worse\n",
      ["in/1", "x/2"],
      {
        "in/1": "in/1: bad: port",
        "x/2": "x/2: worse",
      },
    ],
    ["on a name that was not sent", "Error adding/updating cluster(s) z: bad", ["a"], {}],
  ])("%s", (_, words, names, named) => {
    expect(Object.fromEntries(namedIn(words, new Set(names)))).toEqual(named);
  });

  test("on a resource sent alone are about that resource", () => {
    expect(entryOf("bad regex", "routes")).toBe("routes: bad regex");
    expect(entryOf("Error adding/updating cluster(s) a: bad", "a")).toBe("a: bad");
  });

  test("go upstream in the form that Envoy itself uses", () => {
    const words = composeError(["a: bad", "b: worse"]);
    expect(Object.fromEntries(namedIn(words, new Set(["a", "b"])))).toEqual({ a: "a: bad", b: "b: worse" });
  });
});
