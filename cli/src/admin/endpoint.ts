import { CliError } from "../errors.ts";
import type { Host } from "../host.ts";

/** Where the admin service is. */
export type Endpoint =
  | { readonly kind: "socket"; readonly path: string }
  | {
      readonly kind: "server";
      /** HOST:PORT as a person wrote it. */
      readonly address: string;
      /** Paths of PEM files: the person's certificate, its key, the mesh's trust bundle. */
      readonly cert: string;
      readonly key: string;
      readonly ca: string;
    };

export interface EndpointOptions {
  readonly socket?: string | undefined;
  readonly server?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
}

const DEFAULT_SOCKET = "/run/hedgerow/admin.sock";

/** @throws CliError usage: options that contradict or miss each other. */
export function chooseEndpoint(options: EndpointOptions, env: Host["env"]): Endpoint {
  const { socket, server, cert, key, ca } = options;
  if (server === undefined) {
    if (cert !== undefined || key !== undefined || ca !== undefined)
      throw new CliError("usage", "--cert, --key and --ca belong to --server HOST:PORT: name the server too");
    return { kind: "socket", path: socket ?? defaultSocket(env) };
  }
  if (socket !== undefined) throw new CliError("usage", "--socket and --server name two control planes: give one");
  if (cert === undefined || key === undefined || ca === undefined)
    throw new CliError(
      "usage",
      "--server needs --cert, --key and --ca: an operator makes them with `hedgerow certificate create`",
    );
  if (!isHostPort(server))
    throw new CliError("usage", `--server ${server} is no HOST:PORT, as in cp.example:15015 or [2001:db8::1]:15015`);
  return { kind: "server", address: server, cert, key, ca };
}

/** The control plane's own rule, so that one shell with its environment needs no option. */
function defaultSocket(env: Host["env"]): string {
  const { HEDGEROW_ADMIN_SOCKET: socket, HEDGEROW_STATE: state } = env;
  return socket || (state ? `${state}/admin.sock` : DEFAULT_SOCKET);
}

function isHostPort(text: string): boolean {
  const port = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]@?#]+):([0-9]{1,5})$/.exec(text)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65535;
}

export function endpointName(endpoint: Endpoint): string {
  return endpoint.kind === "socket" ? endpoint.path : endpoint.address;
}
