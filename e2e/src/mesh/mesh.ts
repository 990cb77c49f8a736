import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LedgerRecord } from "@hedgerow/ledger";
import { type AdminClient, adminClient } from "./admin.ts";
import { ledgerDirectories, readRecords } from "./ledger.ts";
import type { CallerPlace, PredictorPlace } from "./manifests.ts";
import { type Part, readLines } from "./part.ts";
import { until } from "./until.ts";

const readyMs = 60_000;

export interface Predictor extends PredictorPlace {
  readonly app: Part;
  readonly agent: Part;
}

export interface Caller extends CallerPlace {
  readonly agent: Part;
}

/** Control plane, predictors and callers as processes of this machine, each predictor and caller with its own Envoy. */
export class Mesh implements AsyncDisposable {
  readonly directory: string;
  readonly controlPlane: Part;
  readonly admin: AdminClient;
  readonly predictors: readonly Predictor[];
  readonly callers: readonly Caller[];
  readonly trustDomain: string;

  constructor(parts: Pick<Mesh, "directory" | "controlPlane" | "predictors" | "callers" | "trustDomain">) {
    this.directory = parts.directory;
    this.controlPlane = parts.controlPlane;
    this.predictors = parts.predictors;
    this.callers = parts.callers;
    this.trustDomain = parts.trustDomain;
    this.admin = adminClient(join(parts.directory, "state/admin.sock"));
  }

  get agents(): readonly Part[] {
    return [...this.predictors, ...this.callers].map(({ agent }) => agent);
  }

  /** Writes a manifest as editors do: whole, under its name, at once. */
  writeManifest(name: string, text: string): void {
    const path = join(this.directory, "manifests", name);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }

  /** What the Envoy of a predictor or caller logged of its requests. */
  accessLog(name: string): readonly Readonly<Record<string, unknown>>[] {
    return readLines(join(this.directory, "run", name, "envoy-access.log"));
  }

  /** What the agent of a predictor recorded. */
  records(name: string): readonly LedgerRecord[] {
    return ledgerDirectories(join(this.directory, "run", name, "audit")).flatMap(readRecords);
  }

  /** Awaits that every part is up and every agent ready. */
  async ready(signal?: AbortSignal): Promise<void> {
    const count = this.agents.length;
    const allReady = async (): Promise<boolean> => {
      const { proxies } = await this.admin.listProxies({});
      const ready = proxies.filter(
        (proxy) => proxy.ready && proxy.connected && proxy.types.every(({ current }) => current),
      );
      return ready.length === count;
    };
    const dead = (): Part | undefined => this.parts.find(({ running }) => !running);
    await until(`${count} agents ready`, readyMs, async () => dead() !== undefined || allReady(), { signal });
    const gone = dead();
    if (gone !== undefined) throw new Error(`${gone.name} ended (${await gone.exited}):\n${gone.lastWords()}`);
  }

  get parts(): readonly Part[] {
    return [this.controlPlane, ...this.predictors.map(({ app }) => app), ...this.agents];
  }

  /** Callers first, so that no request meets a predictor that is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.callers.map(({ agent }) => agent.stop()));
    await Promise.all(this.predictors.map(({ agent }) => agent.stop()));
    await Promise.all([this.controlPlane.stop(), ...this.predictors.map(({ app }) => app.stop())]);
  }
}
