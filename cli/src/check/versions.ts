import { count } from "../screen/count.ts";
import type { ClusterFacts } from "./facts.ts";
import { listAt, nameOf, textAt } from "./fields.ts";
import { type Finding, reporterOf, someOf } from "./finding.ts";

/** Native sidecars are on by default since then. */
const oldestMinor = 29;

/** The API server, the control plane, and the sidecars that another version injected. */
export function judgeVersions(facts: ClusterFacts): readonly Finding[] {
  return [...judgeServer(facts), ...judgeControlPlane(facts), ...judgeSidecars(facts)];
}

function judgeServer({ serverVersion }: ClusterFacts): readonly Finding[] {
  const { good, bad, unseen } = reporterOf("api-server-version");
  const version = textAt(serverVersion, "gitVersion") ?? "";
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) return [unseen("the API server's version", `it says "${version}"`)];
  return Number(major) > 1 || Number(minor) >= oldestMinor
    ? [good(`API server ${version}`)]
    : [bad(`API server ${version} has no native sidecars`, `needs Kubernetes 1.${oldestMinor} or newer`)];
}

function judgeControlPlane({ deployment, cliVersion }: ClusterFacts): readonly Finding[] {
  const { good, doubtful } = reporterOf("control-plane-version");
  const version = deployment.ok ? versionOf(deployment.value) : undefined;
  if (version === undefined) return [];
  return version === cliVersion
    ? [good(`control plane ${version}, this command too`)]
    : [
        doubtful(
          `control plane ${version}, this command ${cliVersion}`,
          "use the command of the control plane's version",
        ),
      ];
}

/** By the tag of its image; undefined where that says none. */
function versionOf(deployment: unknown): string | undefined {
  const containers = listAt(deployment, "spec", "template", "spec", "containers");
  const image = textAt(
    containers.find((container) => textAt(container, "name") === "control-plane"),
    "image",
  );
  return /:v?(\d+\.\d+\.\d+[-+.\w]*)(@|$)/.exec(image ?? "")?.[1];
}

function judgeSidecars({ meshPods, deployment }: ClusterFacts): readonly Finding[] {
  const { good, doubtful, unseen } = reporterOf("sidecar-versions");
  if (!meshPods.ok) return [unseen("pods with a sidecar", meshPods.why)];
  if (meshPods.value.length === 0) return [];
  const current = deployment.ok ? versionOf(deployment.value) : undefined;
  const versions = Map.groupBy(meshPods.value, (pod) => injectedBy(pod)?.version ?? "unknown");
  const wanted = current ?? (versions.size === 1 ? [...versions.keys()][0] : undefined);
  const lagging = [...versions].filter(([version]) => version !== wanted);
  if (lagging.length === 0) return [good(`${count(meshPods.value.length, "sidecar")} of version ${wanted ?? ""}`)];
  return lagging.map(([version, pods]) =>
    doubtful(
      `${pods.length} of ${meshPods.value.length} sidecars are of version ${version}: ${someOf(pods.map(nameOf).toSorted())}`,
      "restart what owns these pods: kubectl rollout restart",
    ),
  );
}

/** Which injector put the sidecar in; undefined where its note is damaged. */
export function injectedBy(pod: unknown): { readonly revision: string; readonly version: string } | undefined {
  const note = textAt(pod, "metadata", "annotations", "hedgerow.dev/status");
  if (note === undefined) return undefined;
  try {
    const status: unknown = JSON.parse(note);
    const [revision, version] = [textAt(status, "revision"), textAt(status, "version")];
    return revision === undefined || version === undefined ? undefined : { revision, version };
  } catch {
    // Somebody edited it: nothing is known of its injector.
    return undefined;
  }
}
