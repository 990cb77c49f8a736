// npm run demo: the whole mesh on this machine, on real digits. Ends with status 0 when every line is ✓.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Digit, heldBackDigits, PIXELS } from "../mesh/digits.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { startMesh } from "../mesh/start-mesh.ts";
import { Screen } from "./screen.ts";
import { showDigits, showEdit, showIdentities, showLatency, showRefusal } from "./steps.ts";

const cli = join(import.meta.dirname, "../../../cli/bin/hedgerow.js");

const help = `npm run demo [-- --keep]

Starts a control plane, three predictors and two callers, each with its own Envoy, sends 2,000 real digits through the
mesh and shows what it did.

  --keep   leave it running, and say what to try; Ctrl-C stops it
`;

/** A request that curl can send: the Connect protocol's JSON. */
function requestJson(digit: Digit): string {
  const pixels = Array.from(new Float32Array(digit.bytes.buffer));
  const inputs = [{ name: "image", datatype: "FP32", shape: [1, PIXELS], contents: { fp32Contents: pixels } }];
  return JSON.stringify({ modelName: "digits", inputs, outputs: [{ name: "label" }] });
}

class Interrupted extends Error {
  override name = "Interrupted";
}

/** Never resolves; rejects when the signal comes. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Interrupted()), { once: true }));
}

async function keep(screen: Screen, mesh: Mesh, digit: Digit, stop: AbortSignal): Promise<void> {
  const [reader] = mesh.callers;
  if (reader === undefined) return;
  const file = join(mesh.directory, "digit.json");
  writeFileSync(file, requestJson(digit));
  const url = `http://127.0.0.1:${reader.localPort}/inference.GRPCInferenceService`;
  screen.heading("Try");
  screen.say(`a digit (${digit.label}) by curl:
  curl -s -H 'content-type: application/json' -d @${file} ${url}/ModelInfer
the model's metadata by Python:
  python3 -c "import urllib.request as u; print(u.urlopen(u.Request('${url}/ModelMetadata', b'{\\"name\\":\\"digits\\"}', {'content-type': 'application/json'})).read().decode())"
what runs:
  npx hedgerow status --socket ${mesh.directory}/state/admin.sock
  npx hedgerow proxies --socket ${mesh.directory}/state/admin.sock
a policy: edit a file in ${mesh.directory}/manifests and ask for the status again`);
  screen.say("\nCtrl-C stops it.");
  await aborted(stop);
}

async function show(screen: Screen, mesh: Mesh, keepRunning: boolean, stop: AbortSignal): Promise<void> {
  const [reader, stranger] = mesh.callers;
  const [predictor] = mesh.predictors;
  const digits = heldBackDigits(2_000);
  const [digit] = digits;
  if (reader === undefined || stranger === undefined || predictor === undefined || digit === undefined)
    throw new Error("the mesh is incomplete");
  await showDigits(screen, reader, digits, [90, 10]);
  await showLatency(screen, reader, predictor, digits.slice(0, 300));
  showIdentities(screen, mesh, reader);
  await showRefusal(screen, mesh, stranger, digit);
  await showEdit(screen, mesh, reader, digits.slice(0, 1_000));
  screen.say("");
  const socket = join(mesh.directory, "state/admin.sock");
  spawnSync(process.execPath, [cli, "status", "--socket", socket], { stdio: "inherit" });
  if (keepRunning) await keep(screen, mesh, digit, stop);
}

/** 0 when every finding is right, 1 when one is not, 130 when it was interrupted. */
async function demo(): Promise<number> {
  const { values } = parseArgs({
    options: { keep: { type: "boolean", default: false }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const screen = new Screen();
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-demo-"));
  const stopping = new AbortController();
  const { signal } = stopping;
  const stop = (): void => {
    screen.say("");
    screen.progress("stopping");
    stopping.abort(new Interrupted());
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, stop);
  let kept = false;
  try {
    screen.say("Hedgerow: three predictors and two callers, each with its own Envoy, and their control plane");
    const startedAt = performance.now();
    await using mesh = await startMesh({ directory, signal, progress: (step) => screen.progress(`starting ${step}`) });
    screen.progress(`ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s, sending digits`);
    screen.say("");
    await Promise.race([show(screen, mesh, values.keep, signal), aborted(signal)]);
    if (screen.failed === 0) return 0;
    kept = true;
    return 1;
  } catch (error) {
    if (error instanceof Interrupted) return values.keep ? 0 : 130;
    kept = true;
    throw error;
  } finally {
    if (kept) screen.say(`\nThe logs are in ${directory}/logs`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = await demo();
