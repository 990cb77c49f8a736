import { describe, expect, test } from "vitest";
import { agentPage } from "./agent-page.ts";
import { mergePages } from "./merge.ts";

describe("merged pages", () => {
  test.each([
    ["empty", [], "", []],
    ["nothing but empty ones", ["", "\n"], "", []],
    ["two without a family in common", ["# TYPE a counter\na 1\n", "b 2\n"], "# TYPE a counter\na 1\nb 2\n", []],
    [
      "a histogram stays with its family",
      ['# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n'],
      '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n',
      [],
    ],
    [
      "the earlier page keeps a family that both have, whole",
      [
        "# TYPE up gauge\nup 1\n",
        '# HELP up x\n# TYPE up histogram\nup_bucket{le="1"} 9\nup_sum 9\n# TYPE ok gauge\nok 2\n',
      ],
      "# TYPE up gauge\nup 1\n# TYPE ok gauge\nok 2\n",
      ["up"],
    ],
    ["a sample without TYPE is a family too", ["a 1\n", "a 2\nb 3\n"], "a 1\nb 3\n", ["a"]],
    ["comments and the end mark of OpenMetrics go", ["# hello\na 1\n# EOF\n", "b 1\n"], "a 1\nb 1\n", []],
  ])("%s", (_, pages, text, dropped) => {
    expect(mergePages(pages)).toEqual({ text, dropped });
  });
});

test("the agent's page leaves out what it does not know yet", () => {
  const page = agentPage({
    svidSecondsLeft: undefined,
    rotations: 0,
    identityFailures: 0,
    relayConnected: false,
    envoyConnected: true,
    rejections: 2,
    secretRejections: 0,
    envoyRestarts: 1,
    ready: false,
    acknowledged: new Map([["type.googleapis.com/envoy.config.cluster.v3.Cluster", 3]]),
    inspect: { allowed: 5, denied: 1, failures: 0, bytes: 0, ledgers: [], volatile: true },
  });
  expect(page).not.toContain("svid_expiry");
  expect(page).toContain('hedgerow_agent_nacks_total{service="ads"} 2\n');
  expect(page).toContain('hedgerow_agent_resources{type="Cluster"} 3\n');
  expect(page).toContain('hedgerow_inspect_requests_total{verdict="deny"} 1\n');
  expect(page).not.toContain("hedgerow_ledger");
});

test("the agent's page shows each ledger and each of its sinks", () => {
  const ledger = { policy: "shop/orders", records: 7, failures: 1, missed: 1, pending: 2, segments: 3 };
  const sinks = [{ name: "vault", lagRecords: 4, failures: 5 }];
  const page = agentPage({
    svidSecondsLeft: 60,
    rotations: 1,
    identityFailures: 0,
    relayConnected: true,
    envoyConnected: true,
    rejections: 0,
    secretRejections: 0,
    envoyRestarts: 0,
    ready: true,
    acknowledged: new Map(),
    inspect: { allowed: 5, denied: 1, failures: 1, bytes: 9, ledgers: [{ ...ledger, sinks }], volatile: true },
  });
  expect(page).toContain('hedgerow_ledger_missing_total{policy="shop/orders"} 1\n');
  expect(page).toContain('hedgerow_ledger_sink_lag_records{policy="shop/orders",sink="vault"} 4\n');
  expect(page).toContain("hedgerow_ledger_volatile 1\n");
});
