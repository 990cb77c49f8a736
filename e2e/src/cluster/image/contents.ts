import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Copy, LayerPlan } from "./plan.ts";
import type { Entry } from "./tar.ts";

/** An entry of a layer and where its contents come from. */
export interface Content {
  readonly entry: Entry;
  readonly from?: string;
  readonly text?: string;
}

interface Found {
  readonly from: string;
  readonly to: string;
  readonly stats: Stats;
}

/** Every file that the copies name, without the libraries; links are kept, a link that is named itself is followed. */
function filesOf(copies: readonly Copy[]): readonly Found[] {
  return copies.flatMap(({ from, to, leaveOut = () => false }) => walk(realpathSync(from), to, "", leaveOut));
}

function walk(from: string, to: string, path: string, leaveOut: (path: string) => boolean): readonly Found[] {
  const stats = lstatSync(from);
  if (!stats.isDirectory()) return [{ from, to, stats }];
  return readdirSync(from)
    .sort()
    .flatMap((name) => {
      const inner = path === "" ? name : `${path}/${name}`;
      return leaveOut(inner) ? [] : walk(join(from, name), `${to}/${name}`, inner, leaveOut);
    });
}

/** Changes whenever what the plan would give changes, as far as sizes and times tell. */
export function fingerprint({ copies = [], links = {}, texts = {}, directories = {} }: LayerPlan): string {
  const files = filesOf(copies).map(({ from, to, stats: { size, mtimeMs, mode } }) => [from, to, size, mtimeMs, mode]);
  // The libraries that programs load are not looked up for this; ldconfig runs whenever they are replaced.
  const { mtimeMs } = statSync("/etc/ld.so.cache");
  return JSON.stringify([files, links, texts, directories, mtimeMs]);
}

/** All entries of a layer, by path; folders before what is in them. */
export function contentsOf({ copies = [], links = {}, texts = {}, directories = {} }: LayerPlan): readonly Content[] {
  const contents = new Map<string, Content>();
  const put = (to: string, content: (path: string) => Content): void => {
    const path = to.slice(1);
    if (!contents.has(path)) contents.set(path, content(path));
  };
  const files = filesOf(copies);
  for (const { from, to, stats } of [...files, ...librariesOf(files)])
    put(to, (path) =>
      stats.isSymbolicLink()
        ? { entry: { kind: "link", path, target: readlinkSync(from) } }
        : { entry: { kind: "file", path, mode: stats.mode, bytes: stats.size }, from },
    );
  for (const [to, target] of Object.entries(links)) put(to, (path) => ({ entry: { kind: "link", path, target } }));
  for (const [to, text] of Object.entries(texts)) {
    const mode = text.startsWith("#!") ? 0o755 : 0o644;
    put(to, (path) => ({ entry: { kind: "file", path, mode, bytes: Buffer.byteLength(text) }, text }));
  }
  for (const [to, mode] of Object.entries(directories))
    put(to, (path) => ({ entry: { kind: "directory", path, mode } }));
  for (const path of contents.keys())
    for (let above = dirname(path); above !== "."; above = dirname(above))
      put(`/${above}`, (folder) => ({ entry: { kind: "directory", path: folder, mode: 0o755 } }));
  return [...contents.values()].sort((one, other) => (one.entry.path < other.entry.path ? -1 : 1));
}

/** The system's libraries that programs and libraries among the files load, where a program of the image looks for them. */
function librariesOf(files: readonly Found[]): readonly Found[] {
  const libraries = files.filter(({ from, stats }) => stats.isFile() && isElf(from)).flatMap(({ from }) => ldd(from));
  // Others lie beside what loads them, and are copied with it.
  const system = [...new Set(libraries)].filter((library) => /^\/(usr|lib)/.test(library));
  return system.map((library) => {
    const from = realpathSync(library);
    return { from, to: join(underUsr(dirname(library)), basename(library)), stats: statSync(from) };
  });
}

/** /lib and the like are links into /usr, in the image as on every current distribution. */
const underUsr = (folder: string): string => (folder.startsWith("/usr/") ? folder : `/usr${folder}`);

function isElf(path: string): boolean {
  const file = openSync(path, "r");
  const start = Buffer.alloc(4);
  readSync(file, start, 0, 4, 0);
  closeSync(file);
  return start.toString("latin1") === "\u007fELF";
}

function ldd(path: string): readonly string[] {
  try {
    const found = execFileSync("ldd", [path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return [...found.matchAll(/(?:=> )?(\/\S+) \(0x/g)].flatMap(([, library = ""]) =>
      existsSync(library) ? [library] : [],
    );
  } catch {
    // Linked statically, or for another machine.
    return [];
  }
}
