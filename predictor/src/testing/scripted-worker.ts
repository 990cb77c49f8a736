// Speaks a model worker's protocol and does what the request's model says, so that a test decides when a worker is
// busy and when it dies.
import { parentPort } from "node:worker_threads";
import type { RunRequest, WorkerOrder, WorkerReport } from "../worker/messages.ts";

const port = parentPort;
if (port === null) throw new Error("scripted-worker runs as a worker thread only");
const report = (message: WorkerReport) => port.postMessage(message);
const gate = new BroadcastChannel("scripted-worker");
let open = false;
let held: (() => void) | undefined;
gate.onmessage = () => {
  open = true;
  held?.();
};

function run(request: RunRequest): void {
  const echo = () => report({ kind: "done", outputs: request.inputs, runMs: 1 });
  switch (request.model) {
    case "hold":
      if (open) echo();
      else held = echo;
      return;
    case "crash":
      throw new Error("crashed as told");
    case "fail":
      report({ kind: "failed", message: "failed as told" });
      return;
    default:
      echo();
  }
}
port.on("message", (order: WorkerOrder) => {
  if (order.kind === "run") return run(order.request);
  gate.close();
  port.close();
});
report({ kind: "loaded", signatures: [] });
