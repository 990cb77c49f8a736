// What the demo shows, a step a function; each reports one finding.

import { Code, ConnectError } from "@connectrpc/connect";
import { DECISION_HEADER } from "@hedgerow/proto";
import type { Digit } from "../mesh/digits.ts";
import { editWeights } from "../mesh/edit.ts";
import type { Caller, Mesh, Predictor } from "../mesh/mesh.ts";
import { classify, predictorClient } from "../mesh/predict.ts";
import { until } from "../mesh/until.ts";
import { agrees, classifyAll, latencies, quantile } from "./measure.ts";
import { milliseconds, type Screen, thousands } from "./screen.ts";

const concurrency = 8;
const warmUp = 50;

/** As protocols and logs write it: permission_denied. */
const codeName = (code: Code): string => Code[code].replace(/\B[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

/** At least this share must be right, below what either model reaches on held-back digits. */
const leastAccuracy = 0.85;

export async function showDigits(
  screen: Screen,
  caller: Caller,
  digits: readonly Digit[],
  weights: readonly [number, number],
): Promise<void> {
  const { right, total, versions } = await classifyAll(predictorClient(caller.localPort), digits, concurrency);
  const v1 = versions.get("1") ?? 0;
  const v2 = versions.get("2") ?? 0;
  const splitAgrees = agrees(v2, total, weights[1] / (weights[0] + weights[1]));
  screen.check(
    right / total >= leastAccuracy && splitAgrees && v1 + v2 === total,
    `${thousands(total)} digits`,
    `${((100 * right) / total).toFixed(1)} % right; v1 ${thousands(v1)}, v2 ${thousands(v2)} (asked ${weights.join("/")})`,
  );
}

export async function showLatency(
  screen: Screen,
  caller: Caller,
  predictor: Predictor,
  digits: readonly Digit[],
): Promise<void> {
  const directClient = predictorClient(predictor.appPort);
  const meshClient = predictorClient(caller.localPort);
  // The first calls open connections and warm the code; they are nobody's latency.
  for (const client of [directClient, meshClient]) await latencies(client, digits.slice(0, warmUp));
  const direct = await latencies(directClient, digits);
  const meshed = await latencies(meshClient, digits);
  const at = (sorted: readonly number[], ratio: number): string => milliseconds(quantile(sorted, ratio));
  screen.check(
    true,
    "latency",
    `p50 ${at(direct, 0.5)} direct, ${at(meshed, 0.5)} through two sidecars; p99 ${at(direct, 0.99)}, ${at(meshed, 0.99)}`,
  );
}

/** Who each side was for the other, from the certificates that both logged. */
export async function showIdentities(screen: Screen, mesh: Mesh, caller: Caller): Promise<void> {
  const trustDomain = `spiffe://${mesh.trustDomain}/`;
  const peersIn = (names: readonly string[]): Promise<string> =>
    until("requests in the access log", 5_000, () => {
      const peers = new Set(names.flatMap((name) => mesh.accessLog(name).map(({ peer }) => String(peer))));
      return peers.size > 0 && [...peers].map((peer) => peer.replace(trustDomain, "")).join(", ");
    });
  const callers = await peersIn(mesh.predictors.map(({ name }) => name));
  const servers = await peersIn([caller.name]);
  screen.check(
    callers === `ns/apps/sa/${caller.serviceAccount}` && servers === "ns/models/sa/digits",
    "mTLS",
    `spiffe://${mesh.trustDomain}: ${callers} → ${servers}`,
  );
}

export async function showRefusal(screen: Screen, mesh: Mesh, caller: Caller, digit: Digit): Promise<void> {
  const refusal = await classify(predictorClient(caller.localPort), digit).then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );
  const policy = await until("the refusal in a predictor's access log", 5_000, () =>
    mesh.predictors
      .flatMap(({ name }) => mesh.accessLog(name))
      .filter(({ peer }) => String(peer).endsWith(`/sa/${caller.serviceAccount}`))
      .map(({ policy }) => String(policy))
      .at(-1),
  );
  const said = refusal?.rawMessage ?? "an answer";
  const decision = refusal?.metadata.get(DECISION_HEADER);
  screen.check(
    refusal?.code === Code.PermissionDenied && said === `refused: ${decision}`,
    caller.name,
    refusal === undefined ? "was answered" : `${codeName(refusal.code)} by AccessPolicy ${policy}; told only “${said}”`,
  );
}

export async function showEdit(screen: Screen, mesh: Mesh, caller: Caller, digits: readonly Digit[]): Promise<void> {
  const client = predictorClient(caller.localPort);
  // Requests flow through the edit.
  const [flowing, edit] = await Promise.allSettled([classifyAll(client, digits, 2), editWeights(mesh, [50, 50])]);
  if (edit.status === "rejected") throw edit.reason;
  const { firstMs, lastMs } = edit.value;
  const after = await classifyAll(client, digits, concurrency);
  const v2 = after.versions.get("2") ?? 0;
  const failure = flowing.status === "rejected" ? `a request failed: ${String(flowing.reason)}` : "no request failed";
  screen.check(
    flowing.status === "fulfilled" && agrees(v2, after.total, 0.5),
    "50/50 edit",
    `first proxy ${milliseconds(firstMs)}, last ${milliseconds(lastMs)}; v1 ${after.total - v2}, v2 ${v2}; ${failure}`,
  );
}
