import { gatewayCrds } from "../cluster/gateway-api.ts";
import { buildImages } from "../cluster/images.ts";
import { type Node, startNode } from "../cluster/node.ts";
import { ClusterMesh } from "./cluster-mesh.ts";

export interface NodeMeshOptions {
  /** Of the cluster's own; made if absent. */
  readonly directory: string;
  readonly callers: readonly string[];
  readonly progress?: (step: string) => void;
  readonly signal?: AbortSignal;
}

/** A node, Hedgerow on it, and the digits mesh. Whoever calls it disposes of the node, and all goes with it. */
export async function startNodeMesh({
  directory,
  callers,
  progress = () => {},
  signal,
}: NodeMeshOptions): Promise<{ readonly node: Node; readonly mesh: ClusterMesh }> {
  progress("images");
  const images = await buildImages(["control-plane", "sidecar", "predictor", "toolbox"]);
  progress("a cluster of one node");
  const node = await startNode({ directory, images, ...(signal === undefined ? {} : { signal }) });
  try {
    const mesh = new ClusterMesh((args, stdin) => node.kubectl(args, stdin), progress);
    await mesh.install(await gatewayCrds());
    await mesh.deployDigits(callers);
    return { node, mesh };
  } catch (error) {
    await node[Symbol.asyncDispose]();
    throw error;
  }
}
