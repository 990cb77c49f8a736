// What stock clients learn of a refusal, whoever refuses: a status of their protocol and a decision id, nothing else.
import { beforeAll, describe, expect, test } from "vitest";
import { browserClient, withoutBrowser } from "../src/clients/browser.ts";
import { tritonPath, withoutTriton } from "../src/clients/python.ts";
import { type AskClient, askClients, type Refused } from "../src/clients/refused.ts";
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

// Not while a client waits for its answer.
beforeAll(() => {
  if (withoutTriton() === undefined) tritonPath();
}, 180_000);

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

/** What is not as it should be, in words. */
function wrongIn(name: string, { code, message, decision, pushback }: Refused, expected: Expected): readonly string[] {
  const isCode = isHttp(name) ? expected.http.test(code) : code === expected.rpc;
  // tritonclient keeps headers to itself; a browser shows no script what it does not know to be safe.
  const showsHeaders = !name.startsWith("tritonclient");
  const showsPushback = showsHeaders && !name.includes("browsers");
  const isMessage = showsHeaders ? message === `refused: ${decision}` : /^refused: [0-9A-Za-z-]{16,36}$/.test(message);
  return [
    ...(isCode ? [] : [`${name}: code ${code}`]),
    ...(isMessage ? [] : [`${name}: message ${message}, decision ${decision}`]),
    ...(expected.pushback && showsPushback && !(Number(pushback) > 0) ? [`${name}: pushback ${pushback}`] : []),
  ];
}

/** All clients at once: an agent that hangs costs each its time, and its endpoint would be gone before the last. */
async function wrongAnswers(port: number, floats: number, expected: Expected): Promise<readonly string[]> {
  const answers = clients.map(async ([name, ask, missing]) => {
    if (missing === undefined) return wrongIn(name, await ask(port, floats), expected);
    console.warn(`not asked with ${name}: ${missing}`);
    return [];
  });
  return (await Promise.all(answers)).flat();
}

describe("every stock client is told a status of its protocol and a decision id, nothing else", () => {
  test("403: no rule lets it in", async () => {
    expect(
      await wrongAnswers(mesh().stranger.localPort, PIXELS, {
        rpc: "permission_denied",
        http: /^403( permission_denied)?$/,
      }),
    ).toEqual([]);
  }, 120_000);

  test("413: more bytes than the service takes", async () => {
    expect(
      await wrongAnswers(mesh().reader.localPort, tooMany, {
        rpc: "resource_exhausted",
        http: /^(413|429 resource_exhausted|413 resource_exhausted)$/,
      }),
    ).toEqual([]);
  }, 120_000);

  test("429: the agent has no room", async () => {
    const { mesh: running, reader } = mesh();
    await editWeights(running, [0, 1]);
    expect(
      await wrongAnswers(reader.localPort, crowding, {
        rpc: "resource_exhausted",
        http: /^429( resource_exhausted)?$/,
        pushback: true,
      }),
    ).toEqual([]);
    await editWeights(running, [1, 0]);
  }, 120_000);

  test("503: the agent does not answer; and all is well when it does again", async () => {
    const { mesh: running, reader, predictor, digits } = mesh();
    predictor.agent.signal("SIGSTOP");
    try {
      expect(
        await wrongAnswers(reader.localPort, PIXELS, { rpc: "unavailable", http: /^503( unavailable)?$/ }),
      ).toEqual([]);
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
