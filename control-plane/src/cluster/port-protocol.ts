import type { PortProtocol } from "./state.ts";

const protocols: Readonly<Record<PortProtocol, readonly string[]>> = {
  http: ["http", "http2", "grpc", "h2c", "kubernetes.io/h2c", "grpc-web", "connect"],
  tcp: ["tcp", "tls", "https", "mysql", "redis", "mongo"],
  auto: [],
};

const byName: ReadonlyMap<string, PortProtocol> = new Map([
  ...protocols.http.map((name) => [name, "http"] as const),
  ...protocols.tcp.map((name) => [name, "tcp"] as const),
]);

/** What a Service's port carries: `appProtocol`, else the port's name up to its first "-", else what the first bytes say. */
export function portProtocol(appProtocol: string | undefined, name: string | undefined): PortProtocol {
  // An appProtocol that we do not know says more than a name: that it is something else.
  if (appProtocol !== undefined) return byName.get(appProtocol.toLowerCase()) ?? "auto";
  const [prefix = ""] = (name ?? "").split("-", 1);
  return byName.get(prefix.toLowerCase()) ?? "auto";
}
