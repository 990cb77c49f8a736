import { cpSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { envoyPath } from "../../../scripts/envoy-path.js";
import { type AdminClient, adminClient } from "./admin.ts";
import { type CallerPlace, type DigitsMesh, digitsManifests, type PredictorPlace } from "./manifests.ts";
import { Part, readLines } from "./part.ts";
import { freePort } from "./ports.ts";
import { until } from "./until.ts";

const models = join(import.meta.dirname, "../../../predictor/models");
const startMs = 60_000;

export interface MeshOptions {
  /** A directory of the mesh's own; made if absent. */
  readonly directory: string;
  readonly trustDomain?: string;
  readonly svidLifetime?: string;
  /** Weights of digits v1 and v2. Default 90 and 10. */
  readonly weights?: readonly [number, number];
  /** Predictors by name → version. Default: v1 twice, v2 once. */
  readonly predictors?: ReadonlyMap<string, "1" | "2">;
  /** Callers by name; the first is the one that the AccessPolicy allows. Default: reader and batch-job. */
  readonly callers?: readonly string[];
  /** Told of each step, for a person who waits. */
  readonly progress?: (step: string) => void;
}

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
  readonly meshAddress: string;
  readonly enrollAddress: string;

  constructor(
    parts: Pick<
      Mesh,
      "directory" | "controlPlane" | "predictors" | "callers" | "trustDomain" | "meshAddress" | "enrollAddress"
    >,
  ) {
    this.directory = parts.directory;
    this.controlPlane = parts.controlPlane;
    this.predictors = parts.predictors;
    this.callers = parts.callers;
    this.trustDomain = parts.trustDomain;
    this.meshAddress = parts.meshAddress;
    this.enrollAddress = parts.enrollAddress;
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

  /** Awaits that every part is up and every agent ready. */
  async ready(): Promise<void> {
    const count = this.agents.length;
    await until(`${count} agents ready`, startMs, async () => {
      this.#complainIfDead();
      const { proxies } = await this.admin.listProxies({});
      return (
        proxies.filter(({ ready, connected, types }) => ready && connected && types.every(({ current }) => current))
          .length === count
      );
    });
  }

  #complainIfDead(): void {
    for (const part of [this.controlPlane, ...this.predictors.map(({ app }) => app), ...this.agents])
      if (!part.running) throw new Error(`${part.name} ended:\n${part.lastWords()}`);
  }

  /** Callers first, so that no request meets a predictor that is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.callers.map(({ agent }) => agent.stop()));
    await Promise.all(this.predictors.map(({ agent }) => agent.stop()));
    await Promise.all([this.controlPlane.stop(), ...this.predictors.map(({ app }) => app.stop())]);
  }
}

/** A predictor's own model repository: one version of digits. */
function modelRepository(directory: string, version: string): string {
  const repository = join(directory, `models-v${version}`);
  cpSync(join(models, "digits", version), join(repository, "digits", version), { recursive: true });
  return repository;
}

function predictorPart(directory: string, { name, version, appPort }: PredictorPlace, metricsPort: number): Part {
  const env = {
    HEDGEROW_MODELS: modelRepository(directory, version),
    HEDGEROW_LISTEN: `127.0.0.1:${appPort}`,
    HEDGEROW_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
    HEDGEROW_WORKERS: "1",
  };
  return new Part(name, "predictor/src/main.ts", env, join(directory, "logs", `${name}.log`));
}

/** Prepares, starts and awaits a mesh. Whoever calls it disposes of it. */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const {
    directory,
    trustDomain = "bank.example",
    svidLifetime = "24h",
    weights = [90, 10],
    progress = () => {},
  } = options;
  for (const part of ["manifests", "logs", "tokens"]) mkdirSync(join(directory, part), { recursive: true });

  const predictorNames =
    options.predictors ??
    new Map([
      ["digits-v1-a", "1"],
      ["digits-v1-b", "1"],
      ["digits-v2-a", "2"],
    ] as const);
  const predictors: PredictorPlace[] = [];
  for (const [name, version] of predictorNames)
    predictors.push({ name, version, port: await freePort(), appPort: await freePort() });
  const callers: CallerPlace[] = [];
  for (const name of options.callers ?? ["reader", "batch-job"])
    callers.push({ name, serviceAccount: name, localPort: await freePort() });
  const mesh: DigitsMesh = { trustDomain, svidLifetime, predictors, callers, weights };
  for (const [name, text] of digitsManifests(mesh)) writeFileSync(join(directory, "manifests", name), text);

  const enrollAddress = `127.0.0.1:${await freePort()}`;
  const meshAddress = `127.0.0.1:${await freePort()}`;
  const env = {
    HEDGEROW_MANIFESTS: join(directory, "manifests"),
    HEDGEROW_STATE: join(directory, "state"),
    HEDGEROW_ENROLL_LISTEN: enrollAddress,
    HEDGEROW_MESH_LISTEN: meshAddress,
    HEDGEROW_METRICS_LISTEN: `127.0.0.1:${await freePort()}`,
  };
  const controlPlane = new Part(
    "control-plane",
    "control-plane/src/main.ts",
    env,
    join(directory, "logs/control-plane.log"),
  );

  const agentPart = async (name: string, appMetricsPort?: number): Promise<Part> => {
    const agentEnv = {
      HEDGEROW_ENROLL: enrollAddress,
      HEDGEROW_MESH: meshAddress,
      HEDGEROW_TOKEN_FILE: join(directory, "tokens", name),
      HEDGEROW_RUN: join(directory, "run", name),
      HEDGEROW_METRICS_LISTEN: `127.0.0.1:${await freePort()}`,
      HEDGEROW_ENVOY_CONCURRENCY: "1",
      ENVOY_BIN: envoyPath(),
      ...(appMetricsPort === undefined ? {} : { HEDGEROW_APP_METRICS: `http://127.0.0.1:${appMetricsPort}/metrics` }),
    };
    return new Part(`${name} agent`, "sidecar/src/main.ts", agentEnv, join(directory, "logs", `${name}-agent.log`));
  };

  const runningPredictors: Predictor[] = [];
  for (const place of predictors) {
    const metricsPort = await freePort();
    runningPredictors.push({
      ...place,
      app: predictorPart(directory, place, metricsPort),
      agent: await agentPart(place.name, metricsPort),
    });
  }
  const runningCallers: Caller[] = [];
  for (const place of callers) runningCallers.push({ ...place, agent: await agentPart(place.name) });

  const running = new Mesh({
    directory,
    controlPlane,
    predictors: runningPredictors,
    callers: runningCallers,
    trustDomain,
    meshAddress,
    enrollAddress,
  });
  try {
    progress("control plane and predictors");
    controlPlane.start();
    for (const { app } of runningPredictors) app.start();
    await until("the control plane answers", startMs, () => running.admin.getVersion({}));
    progress(`${running.agents.length} sidecars`);
    for (const [namespace, places] of [
      ["models", runningPredictors],
      ["apps", runningCallers],
    ] as const)
      for (const { name, agent } of places) {
        const nodeId = `${namespace}/${name}`;
        // Reusable, so that a sidecar that crashes comes back without a person.
        const { token } = await until(`a token for ${nodeId}`, startMs, () =>
          running.admin.createToken({ nodeId, reusable: true }),
        );
        writeFileSync(join(directory, "tokens", name), token, { mode: 0o600 });
        agent.start();
      }
    await running.ready();
    return running;
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}
