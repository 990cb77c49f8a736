import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ADS_TYPE_URLS, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { ListProxiesResponseSchema } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { describe, expect, it } from "vitest";
import { isHealthy, viewProxies } from "../admin/proxies-view.ts";
import { renderProxies } from "./proxies.ts";

type Init = NonNullable<MessageInitShape<typeof ListProxiesResponseSchema>["proxies"]>;
const nowMs = Date.parse("2026-11-24T10:00:00Z");
const view = (proxies: Init) => viewProxies(create(ListProxiesResponseSchema, { proxies }));
const screen = (proxies: Init, columns?: number) => `\n${renderProxies(view(proxies), nowMs, { columns })}`;

const types = ADS_TYPE_URLS.map((typeUrl) => ({ typeUrl, resources: 1, current: true, error: "" }));
const proxy = {
  nodeId: "models/digits-1",
  connected: true,
  connectedAt: timestampFromMs(nowMs - 3 * 3_600_000),
  ready: true,
  envoyVersion: "1.40.0",
  types,
};

describe("renderProxies", () => {
  it("says how to start one where none has connected", () => {
    expect(screen([])).toBe(
      "\nNo proxy has connected yet: `hedgerow token create NAMESPACE/NAME` makes the token that an agent starts with.\n",
    );
  });

  it("says that all are ready and current", () => {
    expect(screen([{ ...proxy, nodeId: "models/digits-2" }, proxy])).toBe(`
NODE             READY  CONNECTED  ENVOY   CDS  EDS  LDS  RDS  AGENT  WHY
models/digits-1  yes    3h         1.40.0  ✓    ✓    ✓    ✓    ✓
models/digits-2  yes    3h         1.40.0  ✓    ✓    ✓    ✓    ✓

✓ 2 proxies, all ready and current
`);
  });

  const refused = types.map((type) =>
    type.typeUrl === ROUTE_TYPE_URL ? { ...type, current: false, error: "route: unknown cluster 'x'" } : type,
  );
  const pending = types.map((type) => (type.typeUrl === LISTENER_TYPE_URL ? { ...type, current: false } : type));
  const troubled: Init = [
    { ...proxy, types: refused },
    { ...proxy, nodeId: "models/digits-2", ready: false, readyReason: "port 8080 refuses connections", types: pending },
    { nodeId: "fraud/fraud-api-with-a-long-name", connected: false, readyReason: "" },
  ];

  it("says what keeps each from running what it should", () => {
    expect(screen(troubled)).toBe(`
NODE                              READY  CONNECTED  ENVOY   CDS  EDS  LDS  RDS  AGENT  WHY
fraud/fraud-api-with-a-long-name  no     no         –       –    –    –    –    –      disconnected
models/digits-1                   yes    3h         1.40.0  ✓    ✓    ✓    !    ✓      RDS: route: unknown cluster 'x'
models/digits-2                   no     3h         1.40.0  ✓    ✓    …    ✓    ✓      port 8080 refuses connections; LDS not acknowledged yet

! 0 of 3 proxies ready and current
  ✓ current  … not acknowledged yet  ! refused by Envoy  – nothing held
`);
  });

  it("puts the reasons below at 80 columns", () => {
    expect(screen(troubled.slice(0, 2), 80)).toBe(`
NODE             READY  CONNECTED  ENVOY   CDS  EDS  LDS  RDS  AGENT
models/digits-1  yes    3h         1.40.0  ✓    ✓    ✓    !    ✓
    RDS: route: unknown cluster 'x'
models/digits-2  no     3h         1.40.0  ✓    ✓    …    ✓    ✓
    port 8080 refuses connections; LDS not acknowledged yet

! 0 of 2 proxies ready and current
  ✓ current  … not acknowledged yet  ! refused by Envoy  – nothing held
`);
  });
});

describe("isHealthy", () => {
  it.each([
    ["ready and current", true, {}],
    ["not ready", false, { ready: false }],
    ["disconnected", false, { connected: false }],
    ["behind on one type", false, { types: [{ typeUrl: LISTENER_TYPE_URL, current: false }] }],
  ])("%s: %s", (_case, healthy, change) => {
    expect(view([{ ...proxy, ...change }]).proxies.map(isHealthy)).toEqual([healthy]);
  });
});
