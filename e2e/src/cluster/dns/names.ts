/** Of a Service what its name means. */
export interface NamedService {
  /** `NAME.NAMESPACE`. */
  readonly key: string;
  /** "None" for a headless Service, "" or undefined for an external name. */
  readonly clusterIP: string | undefined;
}

/** Of an EndpointSlice with IPv4 addresses, who is ready. */
export interface NamedSlice {
  /** `SERVICE.NAMESPACE`. */
  readonly service: string;
  readonly endpoints: readonly { readonly hostname: string | undefined; readonly addresses: readonly string[] }[];
}

const suffix = ".svc.cluster.local";

/**
 * What a name of the cluster means: `SERVICE.NAMESPACE.svc.cluster.local`, and before a headless one's `HOSTNAME.`. Its
 * addresses, or undefined where there is no such name. Names of pods that are not ready do not exist.
 */
export function resolve(
  name: string,
  services: ReadonlyMap<string, NamedService>,
  slices: Iterable<NamedSlice>,
): readonly string[] | undefined {
  if (!name.endsWith(suffix)) return undefined;
  const labels = name.slice(0, -suffix.length).split(".");
  const hostname = labels.length === 3 ? labels.shift() : undefined;
  const key = labels.join(".");
  const service = labels.length === 2 ? services.get(key) : undefined;
  if (service === undefined) return undefined;
  if (service.clusterIP !== "None")
    return hostname !== undefined || !service.clusterIP ? undefined : [service.clusterIP];
  const endpoints = [...slices].filter((slice) => slice.service === key).flatMap((slice) => slice.endpoints);
  const meant = endpoints.filter((endpoint) => hostname === undefined || endpoint.hostname === hostname);
  return meant.length === 0 ? undefined : [...new Set(meant.flatMap(({ addresses }) => addresses))];
}
