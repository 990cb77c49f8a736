// A real OpenTelemetry collector for the tests of any workspace: e2e builds it. It takes OTLP over HTTP, and prints what it took.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const programs = fileURLToPath(new URL("../../e2e/src/cluster/programs.ts", import.meta.url));
const find = `import { builtProgram } from ${JSON.stringify(programs)}; console.log(builtProgram("otelcol"));`;

export async function startCollector() {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", find]);
  const port = await freePort();
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { debug: { verbosity: "detailed" } },
    service: {
      pipelines: { logs: { receivers: ["otlp"], exporters: ["debug"] } },
      telemetry: { metrics: { level: "none" } },
    },
  };
  const child = spawn(stdout.trim(), ["--config", `yaml:${JSON.stringify(config)}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let text = "";
  const keep = (chunk) => {
    text += chunk;
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const collector = {
    endpoint: `http://127.0.0.1:${port}`,
    taken: () => text,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
  const deadline = performance.now() + 20_000;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await collector[Symbol.asyncDispose]();
      throw new Error(`the collector did not start: ${text}`);
    }
    await sleep(20);
  }
  return collector;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function accepts(port) {
  const socket = connect(port, "127.0.0.1");
  const accepted = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return accepted;
}
