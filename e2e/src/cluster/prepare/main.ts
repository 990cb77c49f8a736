// What tests and demo on Kubernetes need before they begin: a machine that can do it, the programs that are built once on
// it, and the images of this checkout. Says all that is missing at once, with status 1.
import process from "node:process";
import { buildImages } from "../images.ts";
import { allPrograms, buildProgram, isBuilt } from "../programs.ts";
import { missingPrerequisites, report } from "./prerequisites.ts";

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const say = (text: string): void => console.error(`test cluster: ${text}`);

async function prepare(): Promise<void> {
  for (const program of allPrograms.filter((one) => !isBuilt(one))) {
    const startedAt = performance.now();
    await buildProgram(program, (step) => say(`${step} …`));
    say(`${program} done in ${seconds(startedAt)}`);
  }
  const startedAt = performance.now();
  let made = 0;
  await buildImages(["control-plane", "sidecar", "predictor", "toolbox"], { progress: () => made++ });
  if (made > 0) say(`${made} image layers made in ${seconds(startedAt)}`);
}

const missing = missingPrerequisites();
if (missing.length > 0) {
  say(report(missing));
  process.exitCode = 1;
} else {
  try {
    await prepare();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
