// The caller in a pod: sends digits to a service by the name that people write, and says at LOAD_LISTEN how it went.
import { createServer } from "node:http";
import process from "node:process";
import { heldBackDigits } from "../mesh/digits.ts";
import { Load } from "../mesh/load.ts";
import { predictorClientAt } from "../mesh/predict.ts";
import type { LoadReport } from "./load-report.ts";

const { LOAD_URL = "", LOAD_HTTP = "2", LOAD_CALLERS = "4", LOAD_PAUSE_MS = "5", LOAD_LISTEN = "9000" } = process.env;
const digits = heldBackDigits(200);

const start = (): Load =>
  new Load(
    predictorClientAt(LOAD_URL, LOAD_HTTP === "1.1" ? "1.1" : "2"),
    digits,
    Number(LOAD_CALLERS),
    Number(LOAD_PAUSE_MS),
  );

let load = start();

const report = ({ answered, failures, versions }: Load): LoadReport => ({
  answered,
  failed: failures.length,
  lastFailures: failures.slice(-5),
  versions: Object.fromEntries(versions),
});

// GET /: how it goes. POST /: the same, of a load that ends here; a new one begins.
const server = createServer((request, response) => {
  const before = load;
  if (request.method === "POST") load = start();
  const ended = request.method === "POST" ? before.stop() : Promise.resolve();
  ended.then(
    () => response.setHeader("content-type", "application/json").end(JSON.stringify(report(before))),
    () => response.destroy(),
  );
});
server.listen(Number(LOAD_LISTEN));
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  load.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
