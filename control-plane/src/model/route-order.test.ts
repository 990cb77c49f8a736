import { expect, test } from "vitest";
import type { RouteMatch } from "./model.ts";
import { compareMatches } from "./route-order.ts";

const match = (type: RouteMatch["path"]["type"], value: string, headers = 0, method?: string): RouteMatch => ({
  path: { type, value },
  headers: Array.from({ length: headers }, (_, index) => ({ type: "Exact", name: `x-${index}`, value: "1" })),
  method,
});

test("the more specific match goes first", () => {
  const inOrder = [
    match("Exact", "/a", 1, "GET"),
    match("Exact", "/b", 0, "GET"),
    match("Exact", "/long/path", 2),
    match("PathPrefix", "/a/longer"),
    match("PathPrefix", "/a", 0, "POST"),
    match("PathPrefix", "/b/", 3),
    match("PathPrefix", "/c", 1),
    match("PathPrefix", "/", 4, "GET"),
    match("RegularExpression", "/a.*", 1),
    match("RegularExpression", "/.*"),
  ];
  expect(inOrder.toReversed().toSorted(compareMatches)).toEqual(inOrder);
});

test("what is equally specific stays as it was", () => {
  const equal = [match("PathPrefix", "/a/"), match("PathPrefix", "/a"), match("PathPrefix", "/b")];
  expect(equal.toSorted(compareMatches)).toEqual(equal);
  expect(equal.toReversed().toSorted(compareMatches)).toEqual(equal.toReversed());
});
