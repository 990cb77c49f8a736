import { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { expect, test } from "vitest";
import { isAllowed, RIGHTS } from "./rights.ts";

test("every method of the service is in the table", () => {
  expect(Object.keys(RIGHTS).sort()).toEqual(AdminService.methods.map(({ localName }) => localName).sort());
});

test.each([
  ["viewer", ["getVersion", "getStatus", "listProxies", "listLedgers", "recordAuditRead"]],
  ["auditor", ["getVersion", "getStatus", "listProxies", "listLedgers", "recordAuditRead"]],
  ["operator", Object.keys(RIGHTS)],
] as const)("a %s may call exactly what the proto says", (role, methods) => {
  const allowed = Object.keys(RIGHTS).filter((method) => isAllowed({ kind: "certificate", role, name: "ada" }, method));
  expect(allowed).toEqual(methods);
});

test("whoever opens the socket is an operator; a stranger may nothing; what is not in the table is nobody's", () => {
  for (const method of Object.keys(RIGHTS)) {
    expect(isAllowed({ kind: "socket" }, method)).toBe(true);
    expect(isAllowed({ kind: "stranger" }, method)).toBe(false);
  }
  expect(isAllowed({ kind: "socket" }, "constructor")).toBe(false);
});
