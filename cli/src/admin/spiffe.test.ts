import { describe, expect, it } from "vitest";
import { trustDomainOf, uriNames } from "./spiffe.ts";

describe("uriNames", () => {
  it.each([
    ["nothing", undefined, []],
    ["no URI", "DNS:a.example, IP Address:10.0.0.1", []],
    [
      "one URI among others",
      "DNS:a.example, URI:spiffe://bank.example/ns/a/sa/b, DNS:c",
      ["spiffe://bank.example/ns/a/sa/b"],
    ],
    ["two URIs", "URI:spiffe://a/b, URI:spiffe://c/d", ["spiffe://a/b", "spiffe://c/d"]],
    ["a DNS name that pretends to be two entries", 'DNS:"x, URI:spiffe://bank.example/evil", DNS:b', []],
    [
      "a DNS name with an escaped quote",
      'DNS:"x\\", URI:spiffe://bank.example/evil", URI:spiffe://a/b',
      ["spiffe://a/b"],
    ],
  ])("finds in %s", (_case, text, uris) => {
    expect(uriNames(text)).toEqual(uris);
  });
});

describe("trustDomainOf", () => {
  it.each([
    ["spiffe://bank.example", "bank.example"],
    ["spiffe://bank.example/ns/a/sa/b", "bank.example"],
    ["https://bank.example/", undefined],
    ["spiffe:///ns/a", undefined],
    ["spiffe://user@bank.example/a", undefined],
  ])("of %s is %s", (uri, domain) => {
    expect(trustDomainOf(uri)).toBe(domain);
  });
});
