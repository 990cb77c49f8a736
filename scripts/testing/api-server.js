// A real API server for the tests of any workspace: e2e runs it, as a process of its own that ends with its caller.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const server = `
  import { startApiServer, gatewayCrds } from ${JSON.stringify(fileURLToPath(new URL("../../e2e/src/index.ts", import.meta.url)))};
  import { createInterface } from "node:readline";
  const gateway = await gatewayCrds();
  await using api = await startApiServer({ directory: process.argv[1] });
  console.log(JSON.stringify({ kubeconfig: api.kubeconfig, gatewayCrds: gateway }));
  for await (const line of createInterface({ input: process.stdin })) {
    const [component, action] = line.split(" ");
    await api[component][action]();
    console.log(line);
  }
`;

export async function startApiServer() {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-api-server-"));
  const child = spawn(process.execPath, ["--input-type=module", "-e", server, directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, "exit").then(() => []);
  const nextLine = () => Promise.race([once(lines, "line"), ended]);
  const [line] = await nextLine();
  if (line === undefined) throw new Error("the API server did not start: npm run test:kubernetes builds what it needs");
  const { kubeconfig, gatewayCrds } = JSON.parse(line);
  const env = { PATH: process.env.PATH, HOME: directory, KUBECONFIG: kubeconfig };
  return {
    kubeconfig,
    gatewayCrds,
    directory,
    env,
    async component(name, action) {
      const done = nextLine();
      child.stdin.write(`${name} ${action}\n`);
      if ((await done)[0] === undefined) throw new Error(`cannot ${action} ${name}`);
    },
    async kubectl(args, stdin = "") {
      const running = run("kubectl", args, { env, maxBuffer: 64 * 1024 * 1024 });
      running.child.stdin.end(stdin);
      const [result] = await Promise.allSettled([running]);
      const { stdout, stderr, code = 0 } = result.status === "fulfilled" ? result.value : result.reason;
      return { code, stdout, stderr };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) {
        child.stdin.end();
        await once(child, "exit");
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
