import { parseDurationMs } from "@hedgerow/manifest";
import { fieldOf, labelsIn, listIn, objectIn, portIn, textIn } from "../kubernetes/json-fields.ts";
import type { MeshPod } from "./state.ts";

/** A pod as it says itself: its region is its node's. */
export type PodRecord = Omit<MeshPod, "region">;

const drainAnnotation = "hedgerow.dev/drain";
const defaultDrainMs = 5000;
const maxDrainMs = 600_000;
const proxyContainer = "hedgerow-proxy";
/** Of each list in a pod. */
const maxEntries = 256;

/** A pod in the mesh. Undefined: it has finished, or it is no pod. What is left out or wrong takes its default. Never throws. */
export function readPod(raw: unknown): PodRecord | undefined {
  const metadata = objectIn(raw, "metadata");
  const spec = objectIn(raw, "spec");
  const status = objectIn(raw, "status");
  const namespace = textIn(metadata, "namespace");
  const name = textIn(metadata, "name");
  const uid = textIn(metadata, "uid");
  if (namespace === undefined || name === undefined || uid === undefined) return undefined;
  const phase = fieldOf(status, "phase");
  if (phase === "Succeeded" || phase === "Failed") return undefined;
  return {
    nodeId: `${namespace}/${name}`,
    namespace,
    name,
    uid,
    serviceAccount: textIn(spec, "serviceAccountName") ?? "default",
    labels: labelsIn(metadata, "labels"),
    address: textIn(status, "podIP", 64),
    nodeName: textIn(spec, "nodeName"),
    ports: portsOf(spec),
    captured: capturedOf(metadata),
    drainMs: drainOf(metadata),
    terminating: textIn(metadata, "deletionTimestamp") !== undefined,
  };
}

/** Of what runs as long as the pod: containers and native sidecars, ours left out. */
function portsOf(spec: unknown): MeshPod["ports"] {
  const sidecars = listIn(spec, "initContainers", maxEntries).filter(
    (container) => fieldOf(container, "restartPolicy") === "Always",
  );
  const byNumber = new Map<number, MeshPod["ports"][number]>();
  for (const container of [...listIn(spec, "containers", maxEntries), ...sidecars]) {
    if (fieldOf(container, "name") === proxyContainer) continue;
    for (const entry of listIn(container, "ports", maxEntries)) {
      const port = portIn(entry, "containerPort");
      if (port === undefined || !isTcp(entry) || byNumber.has(port)) continue;
      byNumber.set(port, { name: textIn(entry, "name", 63), port });
    }
  }
  return [...byNumber.values()].sort((a, b) => a.port - b.port);
}

function isTcp(port: unknown): boolean {
  return (fieldOf(port, "protocol") ?? "TCP") === "TCP";
}

function capturedOf(metadata: unknown): MeshPod["captured"] {
  const annotations = objectIn(metadata, "annotations");
  const text = (name: string) => textIn(annotations, `hedgerow.dev/${name}`, 4096);
  const ports = (list: string) =>
    list
      .split(",")
      .map(Number)
      .filter((port) => Number.isInteger(port) && port > 0);
  const only = text("inbound-ports") ?? "*";
  return {
    only: only.trim() === "*" ? undefined : ports(only),
    except: ports(text("exclude-inbound-ports") ?? ""),
  };
}

/** The injector refuses what cannot be read: what is here all the same was written past it. */
function drainOf(metadata: unknown): number {
  const text = textIn(objectIn(metadata, "annotations"), drainAnnotation, 64);
  const ms = text === undefined ? undefined : parseDurationMs(text);
  return ms === undefined ? defaultDrainMs : Math.min(ms, maxDrainMs);
}
