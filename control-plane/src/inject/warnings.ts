import { type FieldPath, fieldName } from "@hedgerow/manifest";
import { type PodSettings, settingNames } from "./annotations.ts";
import { STATUS_ANNOTATION } from "./names.ts";
import type { Fields } from "./shape.ts";

/** Kubernetes' own default. */
const DEFAULT_GRACE_SECONDS = 30;

/** What is legal in a pod, and perhaps not meant. */
export function warningsOf(pod: {
  readonly spec: Fields;
  readonly annotations: Readonly<Record<string, string>>;
  readonly settings: PodSettings;
  readonly unresolved: readonly FieldPath[];
}): string[] {
  const { spec, annotations, settings, unresolved } = pod;
  const warnings = unresolved.map(
    (path) =>
      `${fieldName(path)} names a port that its container does not declare: kubelet can't ask it, in the mesh or out of it`,
  );
  for (const name of Object.keys(annotations))
    if (name.startsWith("hedgerow.dev/") && name !== STATUS_ANNOTATION && !settingNames.includes(name))
      warnings.push(`unknown annotation ${name}; known: ${settingNames.join(", ")}`);
  const { outboundIpRanges, excludeOutboundIpRanges } = settings.capture;
  const ipv6 = [...outboundIpRanges, ...excludeOutboundIpRanges].find((range) => range.includes(":"));
  if (ipv6 !== undefined) warnings.push(`range ${ipv6} changes nothing: only IPv4 is captured`);
  const graceSeconds = spec["terminationGracePeriodSeconds"] ?? DEFAULT_GRACE_SECONDS;
  if (typeof graceSeconds === "number" && graceSeconds * 1_000 < settings.drainMs)
    warnings.push(
      `spec.terminationGracePeriodSeconds ${graceSeconds} is shorter than the proxy's drain of ${settings.drainMs / 1_000} s (hedgerow.dev/drain): its last requests are cut off`,
    );
  if (spec["dnsPolicy"] === "None")
    warnings.push(
      "spec.dnsPolicy is None: spec.dnsConfig must lead to the cluster's DNS, by which the proxy finds the control plane",
    );
  return warnings;
}
