// A real S3 server for the tests of any workspace: e2e builds it. Its buckets are folders of a temporary folder.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const programs = fileURLToPath(new URL("../../e2e/src/cluster/programs.ts", import.meta.url));
const find = `import { builtProgram } from ${JSON.stringify(programs)}; console.log(builtProgram("versitygw"));`;

export async function startS3Server() {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", find]);
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-s3-"));
  const [data, versions] = [join(directory, "data"), join(directory, "versions")];
  mkdirSync(data);
  mkdirSync(versions);
  const port = await freePort();
  const [accessKeyId, secretAccessKey, region] = ["AKIATEST", "not a secret", "eu-test-1"];
  const child = spawn(stdout.trim(), ["--port", `127.0.0.1:${port}`, "posix", "--versioning-dir", versions, data], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey, VGW_REGION: region, VGW_QUIET: "true" },
  });
  const exited = once(child, "exit");
  const server = {
    endpoint: `http://127.0.0.1:${port}`,
    region,
    accessKeyId,
    secretAccessKey,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
  const deadline = performance.now() + 20_000;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await server[Symbol.asyncDispose]();
      throw new Error("the S3 server did not start");
    }
    await sleep(20);
  }
  return server;
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
  const accepted = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "error").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return accepted;
}
