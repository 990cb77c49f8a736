// Namespaces and Nodes, of which their labels alone are read.
import { objectIn, textIn } from "../kubernetes/json-fields.ts";
import type { MeshNamespace, MtlsMode } from "./state.ts";

const mtlsLabel = "hedgerow.dev/mtls";
export const REGION_LABEL = "topology.kubernetes.io/region";

/** A Namespace. A label that says neither strict nor permissive says nothing. Never throws. */
export function readNamespace(raw: unknown): MeshNamespace | undefined {
  const metadata = objectIn(raw, "metadata");
  const name = textIn(metadata, "name");
  if (name === undefined) return undefined;
  const label = textIn(objectIn(metadata, "labels"), mtlsLabel);
  const mtls: MtlsMode | undefined = label === "strict" || label === "permissive" ? label : undefined;
  return { name, mtls };
}

/** The region of a Node, by its label; undefined: it has none. Never throws. */
export function readRegion(raw: unknown): string | undefined {
  return textIn(objectIn(objectIn(raw, "metadata"), "labels"), REGION_LABEL, 63);
}
