import type { Service, SourceObject, Workload } from "@hedgerow/manifest";
import type { WorkloadsByNamespace } from "./catalog.ts";
import { ComputedByKey } from "./reuse.ts";

type Labels = Readonly<Record<string, string>>;
type Inbound = Workload["spec"]["inbound"][number];

/** The workloads behind one port of a Service, and their own ports that it leads to; never none. */
export interface SelectedWorkload {
  readonly workload: SourceObject<Workload>;
  readonly inbound: readonly [Inbound, ...Inbound[]];
}

/** Whether labels carry a selector, all of it. A selector without labels selects nothing: its Service names endpoints itself. */
export function isSelected(selector: Labels, labels: Labels): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([name, value]) => labels[name] === value);
}

/** No port has anybody behind it. */
export const NOBODY: readonly (readonly SelectedWorkload[])[] = [];

/** Which workloads each Service selects, build after build. */
export class SelectionTable {
  readonly #selected = new ComputedByKey<SourceObject<Service>, readonly (readonly SelectedWorkload[])[]>();

  /** By the index of the port in `spec.ports`. */
  of(service: SourceObject<Service>, workloads: WorkloadsByNamespace): readonly (readonly SelectedWorkload[])[] {
    const candidates = workloads.get(service.manifest.metadata.namespace);
    if (candidates === undefined) return NOBODY;
    return this.#selected.of(service, [candidates], () => {
      const { selector, ports } = service.manifest.spec;
      const selected = candidates.filter(({ manifest }) => isSelected(selector, manifest.metadata.labels));
      if (selected.length === 0) return NOBODY;
      return ports.map((port) =>
        selected.flatMap((workload): readonly SelectedWorkload[] => {
          const [first, ...others] = inboundOf(workload.manifest, port);
          return first === undefined ? [] : [{ workload, inbound: [first, ...others] }];
        }),
      );
    });
  }

  forgetUnused(): void {
    this.#selected.forgetUnused();
  }
}

/** The inbound ports of a selected workload that a Service port leads to. */
function inboundOf(
  { spec }: Workload,
  { port, targetPort = port }: Service["spec"]["ports"][number],
): readonly Inbound[] {
  return spec.inbound.filter(({ name, appPort }) =>
    typeof targetPort === "string" ? name === targetPort : appPort === targetPort,
  );
}
