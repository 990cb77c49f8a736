// npm run demo: the whole mesh on this machine, on real digits. Ends with status 0 when every line is ✓.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { heldBackDigits } from "../mesh/digits.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { startMesh } from "../mesh/start-mesh.ts";
import { showAudit } from "./audit-step.ts";
import { Screen } from "./screen.ts";
import { showDigits, showEdit, showIdentities, showLatency, showRefusal } from "./steps.ts";
import { sayWhatToTry } from "./try.ts";

const cli = join(import.meta.dirname, "../../../cli/bin/hedgerow.js");

const help = `npm run demo [-- --keep]

Starts a control plane, three predictors and two callers, each with its own Envoy, sends 2,000 real digits through the
mesh and shows what it did.

  --keep   leave it running, and say what to try; Ctrl-C stops it
`;

class Interrupted extends Error {
  override name = "Interrupted";
}

/** Never resolves; rejects when the signal comes. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Interrupted()), { once: true }));
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
  await showIdentities(screen, mesh, reader);
  await showRefusal(screen, mesh, stranger, digit);
  await showEdit(screen, mesh, reader, digits.slice(0, 1_000));
  await showAudit(screen, mesh);
  screen.say("");
  const socket = join(mesh.directory, "state/admin.sock");
  spawnSync(process.execPath, [cli, "status", "--socket", socket], { stdio: "inherit" });
  if (!keepRunning) return;
  sayWhatToTry(screen, mesh, digit);
  await aborted(stop);
}

interface Options {
  readonly keep: boolean;
  readonly help: boolean;
}

/** Undefined, and a line that says why, where the command line is wrong. */
function parseOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: { keep: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
    });
    return values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message.split(". ")[0] : String(error)}\n\n${help}`);
    return undefined;
  }
}

/** Aborts at the first signal; at the second, the process ends at once. */
function onInterrupt(stop: () => void): void {
  let asked = false;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      if (asked) process.exit(130);
      asked = true;
      stop();
    });
}

/** 0 when every finding is right, 1 when one is not, 2 for a wrong command line, 130 when it was interrupted. */
async function demo(): Promise<number> {
  const options = parseOptions();
  if (options === undefined) return 2;
  if (options.help) {
    console.log(help);
    return 0;
  }
  const screen = new Screen();
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-demo-"));
  const stopping = new AbortController();
  const { signal } = stopping;
  onInterrupt(() => {
    screen.say("");
    screen.progress("stopping");
    stopping.abort(new Interrupted());
  });
  let kept = false;
  try {
    screen.say("Hedgerow: a control plane, 3 predictors and 2 callers, each with its own Envoy");
    const startedAt = performance.now();
    await using mesh = await startMesh({
      directory,
      signal,
      audit: "{}",
      progress: (step) => screen.progress(`starting ${step}`),
    });
    screen.progress(`ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s, sending digits`);
    screen.say("");
    await Promise.race([show(screen, mesh, options.keep, signal), aborted(signal)]);
    kept = screen.failed > 0;
    if (!kept) screen.say(`\nTo look around in it: npm run demo -- --keep; to build one by hand: docs/first-mesh.md`);
    return kept ? 1 : 0;
  } catch (error) {
    if (signal.aborted) return options.keep ? 0 : 130;
    kept = true;
    throw error;
  } finally {
    if (kept) screen.say(`\nThe logs are in ${directory}/logs`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = await demo();
