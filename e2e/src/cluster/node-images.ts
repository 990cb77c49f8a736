import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { archiveOf, type Image } from "./image/archive.ts";
import { lock } from "./lock.ts";
import { imageCache } from "./places.ts";
import { run } from "./run.ts";
import type { Sandbox } from "./sandbox.ts";

const namespace = "--namespace=k8s.io";

/** Puts those images on a node that are not there yet; true where there were such. */
export async function importImages(sandbox: Sandbox, images: readonly Image[]): Promise<boolean> {
  const lines = (await sandbox.run("ctr", [namespace, "images", "list"])).split("\n");
  const there = new Set(lines.map((line) => line.split(/\s+/)).map(([name, , digest]) => `${name} ${digest}`));
  const missing = images.filter(({ name, digest }) => !there.has(`${name} sha256:${digest}`));
  if (missing.length === 0) return false;
  const [enter = "", ...args] = sandbox.enter;
  const child = spawn(enter, [...args, "ctr", namespace, "images", "import", "-"], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    words = (words + chunk).slice(-2_000);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`could not import images: ${words}`))));
  });
  // Where it ends early, its words say more than the broken pipe.
  const written = pipeline(Readable.from(archiveOf(missing)), child.stdin).catch(() => {});
  await Promise.all([ended, written]);
  return true;
}

// Importing hundreds of megabytes takes ten seconds, so a node begins with the images of the last one. Files of images and
// snapshots never change once they are there: links to them do. The databases are copied.

/** Fills containerd's folder of a new node from the template, if there is one. */
export async function takeTemplate(root: string): Promise<void> {
  const template = await templatePath();
  const held = lock(`${template}.lock`, () => {});
  try {
    if (existsSync(template)) await copy(template, root);
  } finally {
    closeSync(held);
  }
}

/** Makes containerd's folder of a node the template; nothing may use it meanwhile. */
export async function giveTemplate(root: string): Promise<void> {
  const template = await templatePath();
  const held = lock(`${template}.lock`, () => {});
  try {
    const unfinished = `${template}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    await copy(root, unfinished);
    rmSync(template, { recursive: true, force: true });
    renameSync(unfinished, template);
  } finally {
    closeSync(held);
  }
}

async function copy(from: string, to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  try {
    await run("cp", ["--archive", "--link", `${from}/.`, to]);
  } catch {
    // Another file system: no links across.
    await run("cp", ["--archive", `${from}/.`, to]);
  }
  for (const folder of readdirSync(to, { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    for (const name of readdirSync(join(to, folder.name)).filter((file) => file.endsWith(".db"))) {
      rmSync(join(to, folder.name, name));
      copyFileSync(join(from, folder.name, name), join(to, folder.name, name));
    }
}

/** Of this checkout and containerd release. */
async function templatePath(): Promise<string> {
  mkdirSync(imageCache, { recursive: true });
  const release = createHash("sha256")
    .update(process.arch)
    .update(await run("containerd", ["--version"]));
  return join(imageCache, `containerd-${release.digest("hex").slice(0, 16)}`);
}
