import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeCapture, missingRules, redirectRules, refuseRules, restoreInput } from "./rules.ts";
import { type Capture, parseCapture } from "./settings.ts";

function read(setting: object): Capture {
  const parsed = parseCapture(JSON.stringify(setting));
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  return parsed.value;
}

const everything = {
  outboundIpRanges: ["10.0.0.0/8", "192.168.7.1", "fd00::/8"],
  excludeOutboundIpRanges: ["10.9.0.0/16"],
  outboundPorts: [5432, 53],
  excludeOutboundPorts: [9200],
  inboundPorts: [8080, 8443],
  excludeInboundPorts: [9090],
};

describe("the setting", () => {
  test("empty is all inbound and all outbound", () => {
    expect(parseCapture("{}")).toEqual({
      ok: true,
      value: {
        outboundIpRanges: "*",
        excludeOutboundIpRanges: [],
        outboundPorts: [],
        excludeOutboundPorts: [],
        inboundPorts: "*",
        excludeInboundPorts: [],
        withoutEffect: [],
      },
    });
  });

  test.each([
    ["no JSON", "x", ["expected JSON"]],
    ["a list", "[]", ["expected an object"]],
    [
      "all that can be wrong, at once",
      JSON.stringify({
        excludeInboundPort: [1],
        outboundIpRanges: ["*", "10.0.0.0/8"],
        excludeOutboundIpRanges: ["10.0.0.256/8"],
        outboundPorts: [0],
        excludeOutboundPorts: ["80"],
        inboundPorts: ["*", 80],
        excludeInboundPorts: 9090,
      }),
      [
        '"excludeInboundPort": no such field',
        'excludeOutboundIpRanges: expected ranges such as 10.0.0.0/8, found "10.0.0.256/8"',
        'outboundIpRanges: expected ranges such as 10.0.0.0/8, found "*"',
        "outboundPorts: expected whole numbers in 1–65535, found 0",
        'excludeOutboundPorts: expected whole numbers in 1–65535, found "80"',
        'inboundPorts: expected whole numbers in 1–65535, found "*"',
        "excludeInboundPorts: expected a list",
      ],
    ],
    [
      "too much",
      JSON.stringify({ excludeInboundPorts: Array.from({ length: 1_025 }, () => 1) }),
      ["excludeInboundPorts: expected at most 1024 entries"],
    ],
  ])("with %s is refused, with all problems", (_, text, problems) => {
    const parsed = parseCapture(text);
    expect(parsed.ok ? [] : [...parsed.problems].sort()).toEqual([...problems].sort());
  });

  test.each([
    "10.0.0.0/8 -j ACCEPT",
    "10.0.0.0/8\n-A INPUT -j ACCEPT",
    "10.0.0.0/33",
    "10.0.0/8",
    "010.0.0.0/8",
    "::/0\nCOMMIT",
    "! 10.0.0.0/8",
    "example.com",
    "",
  ])("a range %j can't reach iptables", (range) => {
    expect(parseCapture(JSON.stringify({ excludeOutboundIpRanges: [range] })).ok).toBe(false);
  });

  test("no text adds a rule of another form", () => {
    const rule =
      /^-A hedgerow-(inbound|outbound)( !)?( (-p tcp|-o lo|-[sd] [\d./]+|! -d [\d./]+|--dport \d+|-m owner --[ug]id-owner 1337))* -j (RETURN|hedgerow-inbound|REDIRECT --to-ports 150(01|06)|REJECT --reject-with tcp-reset)$/;
    // Near enough to what is valid that some of it is taken.
    const octet = fc.integer({ min: 0, max: 300 });
    const range = fc.oneof(
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.tuple(octet, octet, octet, octet, fc.string({ maxLength: 2 })).map((parts) => parts.join(".")),
      fc.tuple(fc.ipV4(), fc.oneof(fc.nat(33).map(String), fc.string())).map((parts) => parts.join("/")),
    );
    const port = fc.oneof({ weight: 20, arbitrary: fc.nat(65_535) }, fc.anything());
    const some = (entry: fc.Arbitrary<unknown>) => fc.oneof(fc.array(entry, { maxLength: 3 }), fc.constant(["*"]));
    const setting = fc.record(
      Object.fromEntries(
        Object.keys(everything).map((name) => [name, some(name.endsWith("Ranges") ? range : port)] as const),
      ),
      { requiredKeys: [] },
    );
    let taken = 0;
    fc.assert(
      fc.property(setting, (value) => {
        const parsed = parseCapture(JSON.stringify(value));
        if (!parsed.ok) return true;
        taken += 1;
        return [...redirectRules(parsed.value).rules, ...refuseRules(parsed.value).rules].every((line) =>
          rule.test(line),
        );
      }),
      { numRuns: 10_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

describe("the rules", () => {
  test("for everything that can be set, in this order", () => {
    expect(restoreInput(redirectRules(read(everything)), "")).toBe(
      `*nat
:hedgerow-inbound - [0:0]
:hedgerow-outbound - [0:0]
-A hedgerow-inbound -p tcp --dport 15020 -j RETURN
-A hedgerow-inbound -p tcp --dport 9090 -j RETURN
-A hedgerow-inbound -p tcp --dport 8080 -j REDIRECT --to-ports 15006
-A hedgerow-inbound -p tcp --dport 8443 -j REDIRECT --to-ports 15006
-A hedgerow-outbound -o lo -s 127.0.0.6/32 -j RETURN
-A hedgerow-outbound -o lo ! -d 127.0.0.0/8 -p tcp -m owner --uid-owner 1337 -j hedgerow-inbound
-A hedgerow-outbound -m owner --uid-owner 1337 -j RETURN
-A hedgerow-outbound -o lo -j RETURN
-A hedgerow-outbound -d 127.0.0.0/8 -j RETURN
-A hedgerow-outbound -p tcp --dport 9200 -j RETURN
-A hedgerow-outbound -d 10.9.0.0/16 -j RETURN
-A hedgerow-outbound -p tcp --dport 5432 -j REDIRECT --to-ports 15001
-A hedgerow-outbound -p tcp --dport 53 -j REDIRECT --to-ports 15001
-A hedgerow-outbound -d 10.0.0.0/8 -p tcp -j REDIRECT --to-ports 15001
-A hedgerow-outbound -d 192.168.7.1 -p tcp -j REDIRECT --to-ports 15001
-I PREROUTING 1 -p tcp -j hedgerow-inbound
-I OUTPUT 1 -p tcp -j hedgerow-outbound
COMMIT
`,
    );
  });

  test("DNS over TCP is left alone unless its port is asked for", () => {
    expect(redirectRules(read({})).rules).toContain("-A hedgerow-outbound -p tcp --dport 53 -j RETURN");
  });

  test("for no range and no port capture nothing", () => {
    const { rules } = redirectRules(read({ outboundIpRanges: [], inboundPorts: [] }));
    expect(rules.filter((rule) => rule.includes("REDIRECT"))).toEqual([]);
  });

  test("of IPv6 refuse what IPv4 captures", () => {
    expect(refuseRules(read(everything)).rules).toEqual([
      "-A hedgerow-inbound -p tcp --dport 15020 -j RETURN",
      "-A hedgerow-inbound -p tcp --dport 9090 -j RETURN",
      "-A hedgerow-inbound -p tcp --dport 8080 -j REJECT --reject-with tcp-reset",
      "-A hedgerow-inbound -p tcp --dport 8443 -j REJECT --reject-with tcp-reset",
    ]);
  });

  test("are led into once, however often they are put there", () => {
    const saved = "*nat\n-A PREROUTING -p tcp -j hedgerow-inbound\n-A OUTPUT -p tcp -j hedgerow-outbound\nCOMMIT\n";
    expect(restoreInput(redirectRules(read({})), saved)).not.toContain("-I ");
  });

  test("that are not in force are named", () => {
    const rules = redirectRules(read({ inboundPorts: [] }));
    expect(missingRules(rules, "-A PREROUTING -p tcp -j hedgerow-inbound\n")).toEqual([
      "-A OUTPUT -p tcp -j hedgerow-outbound",
      "hedgerow-inbound",
      "hedgerow-outbound",
    ]);
  });

  test("are told in a few lines", () => {
    expect(describeCapture(read(everything))).toEqual([
      "inbound to 15006: ports 8080, 8443 but 15020, 9090",
      "outbound to 15001: ranges 10.0.0.0/8, 192.168.7.1, and ports 5432, 53 but 10.9.0.0/16, port 9200",
      "without effect, since IPv6 is not captured: fd00::/8",
    ]);
    expect(describeCapture(read({}))[1]).toBe("outbound to 15001: ranges all");
  });
});
