import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { envoyPath } from "../../../scripts/envoy-path.js";
import { digitsManifests } from "./manifests.ts";
import { type Caller, Mesh, type Predictor } from "./mesh.ts";
import { Part } from "./part.ts";
import { freePort } from "./ports.ts";
import { until } from "./until.ts";

const models = join(import.meta.dirname, "../../../predictor/models");
const answerMs = 60_000;

export interface MeshOptions {
  /** A directory of the mesh's own; made if absent. */
  readonly directory: string;
  readonly trustDomain?: string;
  readonly svidLifetime?: string;
  /** Weights of digits v1 and v2. Default 90 and 10. */
  readonly weights?: readonly [number, number];
  /** Predictors by name → version. Default: v1 twice, v2 once. */
  readonly predictors?: ReadonlyMap<string, "1" | "2">;
  /** Directory of more models, NAME/VERSION/model.onnx, that every predictor serves. Default: digits alone. */
  readonly moreModels?: string;
  /** Settings of predictors' agents beyond their own, by name. */
  readonly agentSettings?: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Callers by name; the first is the one that the AccessPolicy allows. Default: reader and batch-job. */
  readonly callers?: readonly string[];
  /** `spec` of an AuditPolicy over the predictors' namespace, as YAML in one line, without targets. Default: nothing is recorded. */
  readonly audit?: string;
  /** Of the predictors' services, as in 64Ki. Default: none set. */
  readonly maxRequestBytes?: string;
  /** Told of each step, for a person who waits. */
  readonly progress?: (step: string) => void;
  /** Gives up: what was started is stopped, and the signal's reason thrown. */
  readonly signal?: AbortSignal;
}

interface Addresses {
  readonly enroll: string;
  readonly mesh: string;
}

const localAddress = async (): Promise<string> => `127.0.0.1:${await freePort()}`;

async function controlPlanePart(directory: string, { enroll, mesh }: Addresses): Promise<Part> {
  const env = {
    HEDGEROW_MANIFESTS: join(directory, "manifests"),
    HEDGEROW_STATE: join(directory, "state"),
    HEDGEROW_ENROLL_LISTEN: enroll,
    HEDGEROW_MESH_LISTEN: mesh,
    HEDGEROW_METRICS_LISTEN: await localAddress(),
  };
  return new Part("control-plane", "control-plane/src/main.ts", env, join(directory, "logs/control-plane.log"));
}

async function agentPart(
  directory: string,
  name: string,
  { enroll, mesh }: Addresses,
  settings: Readonly<Record<string, string>> = {},
): Promise<Part> {
  const env = {
    HEDGEROW_ENROLL: enroll,
    HEDGEROW_MESH: mesh,
    HEDGEROW_TOKEN_FILE: join(directory, "tokens", name),
    HEDGEROW_RUN: join(directory, "run", name),
    HEDGEROW_METRICS_LISTEN: await localAddress(),
    HEDGEROW_ENVOY_CONCURRENCY: "1",
    ENVOY_BIN: envoyPath(),
    ...settings,
  };
  return new Part(`${name} agent`, "sidecar/src/main.ts", env, join(directory, "logs", `${name}-agent.log`));
}

async function predictor(
  directory: string,
  name: string,
  version: "1" | "2",
  addresses: Addresses,
  { agentSettings, moreModels }: MeshOptions,
): Promise<Predictor> {
  const appPort = await freePort();
  const metrics = await localAddress();
  // A repository of its own: this one version of digits.
  const repository = join(directory, `models-v${version}`);
  cpSync(join(models, "digits", version), join(repository, "digits", version), { recursive: true });
  if (moreModels !== undefined) cpSync(moreModels, repository, { recursive: true });
  const env = {
    HEDGEROW_MODELS: repository,
    HEDGEROW_LISTEN: `127.0.0.1:${appPort}`,
    HEDGEROW_METRICS_LISTEN: metrics,
    HEDGEROW_WORKERS: "1",
  };
  const app = new Part(name, "predictor/src/main.ts", env, join(directory, "logs", `${name}.log`));
  return {
    name,
    version,
    port: await freePort(),
    appPort,
    app,
    agent: await agentPart(directory, name, addresses, {
      HEDGEROW_APP_METRICS: `http://${metrics}/metrics`,
      ...agentSettings?.get(name),
    }),
  };
}

async function caller(directory: string, name: string, addresses: Addresses): Promise<Caller> {
  return {
    name,
    serviceAccount: name,
    localPort: await freePort(),
    agent: await agentPart(directory, name, addresses),
  };
}

/** Gives a sidecar its join token and starts it. Reusable, so that one that crashes comes back without a person. */
async function enrol(
  { admin, directory }: Mesh,
  nodeId: string,
  { name, agent }: Predictor | Caller,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { token } = await until(
    `a token for ${nodeId}`,
    answerMs,
    () => admin.createToken({ nodeId, reusable: true }),
    { signal },
  );
  writeFileSync(join(directory, "tokens", name), token, { mode: 0o600 });
  agent.start();
}

/** Prepares, starts and awaits a mesh. Whoever calls it disposes of it. */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { directory, trustDomain = "bank.example", svidLifetime = "24h", progress = () => {}, signal } = options;
  const versions: ReadonlyMap<string, "1" | "2"> =
    options.predictors ??
    new Map([
      ["digits-v1-a", "1"],
      ["digits-v1-b", "1"],
      ["digits-v2-a", "2"],
    ]);
  for (const part of ["manifests", "logs", "tokens"]) mkdirSync(join(directory, part), { recursive: true });

  const addresses = { enroll: await localAddress(), mesh: await localAddress() };
  const predictors: Predictor[] = [];
  for (const [name, version] of versions)
    predictors.push(await predictor(directory, name, version, addresses, options));
  const callers: Caller[] = [];
  for (const name of options.callers ?? ["reader", "batch-job"]) callers.push(await caller(directory, name, addresses));
  const manifests = digitsManifests({
    trustDomain,
    svidLifetime,
    predictors,
    callers,
    weights: options.weights ?? [90, 10],
    audit: options.audit,
    maxRequestBytes: options.maxRequestBytes,
  });
  for (const [name, text] of manifests) writeFileSync(join(directory, "manifests", name), text);

  const controlPlane = await controlPlanePart(directory, addresses);
  const mesh = new Mesh({ directory, controlPlane, predictors, callers, trustDomain });
  try {
    progress("control plane and predictors");
    controlPlane.start();
    for (const { app } of predictors) app.start();
    await until("the control plane answers", answerMs, () => mesh.admin.getVersion({}), { signal });
    progress(`${mesh.agents.length} sidecars`);
    for (const place of predictors) await enrol(mesh, `models/${place.name}`, place, signal);
    for (const place of callers) await enrol(mesh, `apps/${place.name}`, place, signal);
    await mesh.ready(signal);
    return mesh;
  } catch (error) {
    await mesh[Symbol.asyncDispose]();
    throw error;
  }
}
