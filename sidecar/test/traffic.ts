import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { fetchOnce } from "./workload.ts";

/** An application: a Prometheus page at /metrics, words elsewhere. */
export async function startApp(): Promise<{ app: Server; port: number }> {
  const app = createServer((request, response) => {
    if (request.url === "/metrics") response.end("# TYPE app_requests counter\napp_requests 7\n");
    else response.end("from the app");
  });
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  const address = app.address();
  return { app, port: typeof address === "object" && address !== null ? address.port : 0 };
}

/** Requests without a pause until stopped; the statuses that were not 200. */
export function keepRequesting(port: number): { stop: () => Promise<{ failed: number[]; served: number }> } {
  const failed: number[] = [];
  let served = 0;
  const stopping = new AbortController();
  const done = (async () => {
    while (!stopping.signal.aborted) {
      const { status } = await fetchOnce(port);
      if (status === 200) served += 1;
      else failed.push(status);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await done;
      return { failed, served };
    },
  };
}
