// What stock clients learn of a refusal, whoever refuses: a status of their protocol and a decision id, nothing else.
import { describe, expect, test } from "vitest";
import { browserClient, withoutBrowser } from "../src/clients/browser.ts";
import { withoutTriton } from "../src/clients/python.ts";
import { type AskClient, askClients } from "../src/clients/refused.ts";
import { PIXELS } from "../src/mesh/digits.ts";
import { editWeights } from "../src/mesh/edit.ts";
import { Load } from "../src/mesh/load.ts";
import { predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const mesh = withMesh({
  predictors: new Map([
    ["digits-v1-a", "1"],
    ["digits-v2-a", "2"],
  ]),
  weights: [1, 0],
  audit: "{durability: {fsync: each}}",
  maxRequestBytes: "2Mi",
  // Room for digits, not for one request of `crowding`.
  agentSettings: new Map([["digits-v2-a", { HEDGEROW_INSPECT_BYTES: String(1024 ** 2) }]]),
});

/** Floats of an image: 1.2 MB raw, 1.8 MB as JSON. */
const crowding = 300_000;
/** 2.4 MB raw, 3.6 MB as JSON. */
const tooMany = 600_000;

const clients: readonly (readonly [string, AskClient, string | undefined])[] = [
  ...Object.entries<AskClient>(askClients).map(
    ([name, ask]) => [name, ask, name.startsWith("tritonclient") ? withoutTriton() : undefined] as const,
  ),
  ["Connect for browsers, Connect", browserClient("connect"), withoutBrowser()],
  ["Connect for browsers, gRPC-Web", browserClient("grpc-web"), withoutBrowser()],
];

/** In the words of each client. */
interface Expected {
  readonly rpc: string;
  readonly http: RegExp;
  readonly pushback?: true;
}

const isHttp = (name: string): boolean => name.endsWith("REST") || name.startsWith("curl");

async function expectRefusals(port: number, floats: number, { rpc, http, pushback }: Expected): Promise<void> {
  for (const [name, ask, missing] of clients) {
    if (missing !== undefined) {
      console.warn(`not asked with ${name}: ${missing}`);
      continue;
    }
    const refused = await ask(port, floats);
    if (isHttp(name)) expect(refused.code, name).toMatch(http);
    else expect(refused.code, name).toBe(rpc);
    expect(refused.message, name).toMatch(/^refused: [0-9A-Za-z-]{16,36}$/);
    const shows = !name.startsWith("tritonclient");
    if (shows) expect(refused.message, name).toBe(`refused: ${refused.decision}`);
    if (pushback && shows && !name.includes("browsers")) expect(Number(refused.pushback), name).toBeGreaterThan(0);
  }
}

describe("every stock client is told a status of its protocol and a decision id, nothing else", () => {
  test("403: no rule lets it in", async () => {
    await expectRefusals(mesh().stranger.localPort, PIXELS, {
      rpc: "permission_denied",
      http: /^403( permission_denied)?$/,
    });
  }, 120_000);

  test("413: more bytes than the service takes", async () => {
    await expectRefusals(mesh().reader.localPort, tooMany, {
      rpc: "resource_exhausted",
      http: /^(413|429 resource_exhausted|413 resource_exhausted)$/,
    });
  }, 120_000);

  test("429: the agent has no room", async () => {
    const { mesh: running, reader } = mesh();
    await editWeights(running, [0, 1]);
    await expectRefusals(reader.localPort, crowding, {
      rpc: "resource_exhausted",
      http: /^429( resource_exhausted)?$/,
      pushback: true,
    });
    await editWeights(running, [1, 0]);
  }, 120_000);

  test("503: the agent does not answer; and all is well when it does again", async () => {
    const { mesh: running, reader, predictor, digits } = mesh();
    predictor.agent.signal("SIGSTOP");
    try {
      await expectRefusals(reader.localPort, PIXELS, { rpc: "unavailable", http: /^503( unavailable)?$/ });
    } finally {
      predictor.agent.signal("SIGCONT");
    }
    await running.ready();
    await until("an answer", 20_000, async () => {
      const load = new Load(predictorClient(reader.localPort), digits, 1);
      await until("a request ended", 10_000, () => load.answered + load.failures.length > 3);
      await load.stop();
      return load.failures.length === 0;
    });
  }, 180_000);
});
