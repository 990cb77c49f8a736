import { join } from "node:path";
import process from "node:process";
import { run } from "./run.ts";

/** Runs kubectl and resolves to its output; throws CommandError. */
export type Kubectl = (args: readonly string[], stdin?: string) => Promise<string>;

/** kubectl for one cluster. What it remembers of a server stays in the directory: another may have had the same port. */
export function kubectlFor(directory: string, kubeconfig: string): Kubectl {
  const env = { PATH: process.env["PATH"], HOME: directory, KUBECONFIG: kubeconfig };
  const cache = `--cache-dir=${join(directory, "kubectl-cache")}`;
  return (args, stdin) => run("kubectl", [cache, ...args], { env, stdin });
}
