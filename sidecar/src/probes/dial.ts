import { connect, isIPv4, type Socket, type TcpNetConnectOpts } from "node:net";

/**
 * Source of connections to the application that are not to be captured again on their way: Envoy's own have it too, and the
 * capture rules let it through.
 */
const UNCAPTURED = "127.0.0.6";

/** How to reach the application: as the kubelet does, by the pod's own address, unless the handler names another host. */
export function target(
  host: string | undefined,
  port: number,
  podIp: string | undefined,
): Pick<TcpNetConnectOpts, "host" | "port" | "localAddress"> & { readonly host: string } {
  const address = host ?? podIp ?? "127.0.0.1";
  // IPv6 is not captured.
  return address === podIp && isIPv4(address)
    ? { host: address, port, localAddress: UNCAPTURED }
    : { host: address, port };
}

/** A connection; rejects when it is refused or the signal aborts. The caller destroys it. */
export async function open(options: TcpNetConnectOpts, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ ...options, signal });
  socket.once("connect", () => resolve(socket));
  // Also after the connection has been handed over, whose user hears of it as well.
  socket.on("error", reject);
  return await promise;
}
