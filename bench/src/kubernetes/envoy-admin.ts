import { request } from "node:http";

/** Asks an Envoy's admin interface, which listens on a Unix socket. */
async function askEnvoy(socketPath: string, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request({ socketPath, path, method: "GET" }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.once("error", reject);
    answer.once("end", () => resolve(Buffer.concat(chunks).toString()));
  });
  sent.once("error", reject);
  sent.end();
  return await promise;
}

/** The weights of the first route of a RouteConfiguration, as Envoy runs it: an ACK would be no proof. */
export async function weightsInForce(socketPath: string, route: string): Promise<readonly number[]> {
  const query = new URLSearchParams({ resource: "dynamic_route_configs", name_regex: `^${route}$` });
  const dump = await askEnvoy(socketPath, `/config_dump?${query.toString()}`);
  return [...dump.matchAll(/"weight": (\d+)/g)].map(([, weight]) => Number(weight));
}
