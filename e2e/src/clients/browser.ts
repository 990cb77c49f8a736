import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import type { AskClient } from "./refused.ts";

/** Why there is no browser; undefined: there is one. */
export function withoutBrowser(): string | undefined {
  return spawnSync("chromium", ["--version"]).status === 0 ? undefined : "there is no chromium";
}

async function bundle(): Promise<string> {
  const build = await rolldown({ input: join(import.meta.dirname, "../../clients/browser.ts"), platform: "browser" });
  const { output } = await build.generate({ format: "esm", codeSplitting: false });
  return output[0].code;
}

async function servePage(): Promise<{ readonly url: string } & AsyncDisposable> {
  const script = await bundle();
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<!doctype html><body><script type="module" src="/page.js"></script>');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Chromium on a page that uses Connect's client for browsers. Sidecars know nothing of CORS, so the browser must not either. */
export function browserClient(kind: "connect" | "grpc-web"): AskClient {
  return async (port, floats) => {
    await using page = await servePage();
    const profile = mkdtempSync(join(tmpdir(), "hedgerow-browser-"));
    const child = spawn(
      "chromium",
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-web-security",
        `--user-data-dir=${profile}`,
        "--virtual-time-budget=15000",
        "--dump-dom",
        `${page.url}?kind=${kind}&port=${port}&floats=${floats}`,
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    child.once("close", () => resolve());
    await closed;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    const dom = Buffer.concat(chunks).toString();
    const text = /<pre>(.*)<\/pre>/s.exec(dom)?.[1];
    if (text === undefined) throw new Error(`the page shows no result: ${dom.slice(-500)}`);
    const answer = JSON.parse(text) as { code: string; message?: string; decision?: string | null };
    return {
      code: answer.code.replace(/\B[A-Z]/g, (letter) => `_${letter}`).toLowerCase(),
      message: answer.message ?? "",
      decision: answer.decision ?? undefined,
    };
  };
}
