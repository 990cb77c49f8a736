import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { formatProblem, type ObjectKey } from "@hedgerow/manifest";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SourceView } from "../last-good/source-view.ts";
import { type DirectorySource, openDirectorySource } from "./directory-source.ts";

function workload(name: string, region = "a", port = name.charCodeAt(0)): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}}
spec:
  serviceAccount: sa
  address: 10.0.0.1
  inbound: [{port: ${port}, appPort: 8080, protocol: grpc}]
  region: ${region}
---
`;
}

/** As in ["a:region in file"]. */
function shown({ objects }: SourceView): readonly string[] {
  return objects.map(({ manifest, file }) => {
    const region = manifest.kind === "Workload" ? manifest.spec.region : undefined;
    return `${manifest.metadata.name}:${region} in ${file}`;
  });
}

const key = (name: string): ObjectKey => `Workload/default/${name}`;

/** A followed directory, every view that it gave, and a way to wait for one. */
class Followed implements AsyncDisposable {
  readonly views: SourceView[] = [];
  #waiting: (() => void)[] = [];
  source: DirectorySource | undefined;

  readonly onChange = (view: SourceView): void => {
    this.views.push(view);
    for (const wake of this.#waiting.splice(0)) wake();
  };

  get view(): SourceView {
    const view = this.source?.view();
    if (view === undefined) throw new Error("not open");
    return view;
  }

  async until(condition: (view: SourceView) => boolean): Promise<SourceView> {
    while (!condition(this.view)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.view;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source?.[Symbol.asyncDispose]();
  }
}

let root: string;
let directory: string;
let opened: Followed[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "hedgerow-source-"));
  directory = join(root, "manifests");
  await mkdir(directory);
  opened = [];
});

afterEach(async () => {
  for (const followed of opened) await followed[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function follow(debounceMs = 25): Promise<Followed> {
  const followed = new Followed();
  opened.push(followed);
  followed.source = await openDirectorySource({
    directory,
    lastGoodFile: join(root, "last-good.json"),
    debounceMs,
    logger: pino({ level: "silent" }),
    onChange: followed.onChange,
  });
  return followed;
}

function write(file: string, text: string): Promise<void> {
  return writeFile(join(directory, file), text);
}

describe("the first view", () => {
  test("of an empty directory is empty, and no problem", async () => {
    const { view, views } = await follow();
    expect([view.objects, view.problems, views]).toEqual([[], [], []]);
  });

  test("of a directory that is not there says so", async () => {
    await rm(directory, { recursive: true });
    const { view } = await follow();
    expect(view.problems.map(({ code, position }) => [code, position.file])).toEqual([["unreadable", "."]]);
  });

  test("has every *.yaml and *.yml at any depth, and nothing hidden, saved aside or otherwise named", async () => {
    await mkdir(join(directory, "in/deep"), { recursive: true });
    await mkdir(join(directory, ".git"));
    await write("b.yaml", workload("b"));
    await write("in/deep/a.yml", workload("a"));
    for (const file of [".git/x.yaml", ".b.yaml.swp", ".#b.yaml", "b.yaml~", "notes.txt", "c.yaml.tmp"])
      await write(file, workload("x"));
    await symlink(directory, join(directory, "in/loop"));
    expect(shown((await follow()).view)).toEqual(["a:a in in/deep/a.yml", "b:a in b.yaml"]);
  });

  test("lists what is wrong, with the rest standing", async () => {
    await write("a.yaml", workload("a") + workload("b").replace("region", "regoin"));
    const { view } = await follow();
    expect(shown(view)).toEqual(["a:a in a.yaml"]);
    expect(view.problems.map((problem) => formatProblem(problem))).toEqual([
      "a.yaml:17:3: unknown field spec.regoin; did you mean region?",
    ]);
  });
});

describe("a change on disk", () => {
  test("arrives: new, edited, deleted; edits well under 100 ms as a rule", async () => {
    const followed = await follow();
    await write("a.yaml", workload("a", "r0"));
    await followed.until((view) => view.objects.length === 1);
    const latenciesMs: number[] = [];
    for (let round = 1; round <= 15; round++) {
      const writtenAt = performance.now();
      await write("a.yaml", workload("a", `r${round}`));
      const view = await followed.until((view) => shown(view)[0] === `a:r${round} in a.yaml`);
      latenciesMs.push(performance.now() - writtenAt);
      expect(view.generations.get(key("a"))).toBe(round + 1);
    }
    latenciesMs.sort((a, b) => a - b);
    expect(latenciesMs[7]).toBeLessThan(100);
    await rm(join(directory, "a.yaml"));
    await followed.until((view) => view.objects.length === 0);
  });

  test("by renaming into place, and into a new directory, is seen", async () => {
    const followed = await follow();
    await write("a.yaml.tmp", workload("a"));
    await rename(join(directory, "a.yaml.tmp"), join(directory, "a.yaml"));
    await followed.until((view) => shown(view)[0] === "a:a in a.yaml");
    await mkdir(join(directory, "in/deep"), { recursive: true });
    await write("in/deep/b.yaml", workload("b", "one"));
    await followed.until((view) => shown(view)[1] === "b:one in in/deep/b.yaml");
    await write("in/deep/b.yaml", workload("b", "two"));
    const view = await followed.until((view) => shown(view)[1] === "b:two in in/deep/b.yaml");
    expect([...view.generations.values()]).toEqual([1, 2]);
  });

  test("that changes nothing is not told", async () => {
    await write("a.yaml", workload("a"));
    const followed = await follow();
    await write("a.yaml", workload("a"));
    await write("b.yaml", workload("b"));
    await followed.until((view) => view.objects.length === 2);
    expect(followed.views).toHaveLength(1);
  });

  test("of a ConfigMap, where all files swap at once, is seen at once", async () => {
    const version = async (name: string, region: string) => {
      await mkdir(join(directory, name));
      await write(`${name}/a.yaml`, workload("a", region));
      await write(`${name}/b.yaml`, workload("b", region));
    };
    await version("..1", "one");
    await symlink("..1", join(directory, "..data"));
    await symlink("..data/a.yaml", join(directory, "a.yaml"));
    await symlink("..data/b.yaml", join(directory, "b.yaml"));
    const followed = await follow();
    expect(shown(followed.view)).toEqual(["a:one in a.yaml", "b:one in b.yaml"]);
    await version("..2", "two");
    await symlink("..2", join(directory, "..data_tmp"));
    await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    await followed.until((view) => shown(view).includes("a:two in a.yaml"));
    expect(followed.views.map(shown)).toEqual([["a:two in a.yaml", "b:two in b.yaml"]]);
  });

  test("that moves an object to another file never takes it away", async () => {
    await write("a.yaml", workload("a") + workload("b"));
    const followed = await follow();
    await write("a.yaml", workload("a"));
    await write("b.yaml", workload("b"));
    await followed.until((view) => shown(view).includes("b:a in b.yaml") && view.problems.length === 0);
    expect(followed.views.map(({ objects }) => objects.length)).toEqual(followed.views.map(() => 2));
  });
});

describe("a half-written file", () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const whole = (region: string) => names.map((name) => workload(name, region)).join("");
  const regionsOf = ({ objects }: SourceView) =>
    new Set(objects.map(({ manifest }) => (manifest.kind === "Workload" ? manifest.spec.region : undefined)));

  test("is never seen through 500 rewrites in place", async () => {
    await write("all.yaml", whole("r0"));
    const followed = await follow();
    for (let round = 1; round <= 500; round++) {
      // Truncated, then written in pieces that end where a document ends, or in its middle.
      const file = await open(join(directory, "all.yaml"), "w");
      const text = whole(`r${round}`);
      const middle = (text.length * (round % 7)) / 7;
      await file.write(text.slice(0, middle));
      // Some writers are slow.
      if (round % 10 === 0) await setTimeout(10);
      await file.write(text.slice(middle));
      await file.close();
      expect([followed.view.objects.length, regionsOf(followed.view).size]).toEqual([6, 1]);
    }
    await followed.until((view) => regionsOf(view).has("r500"));
    for (const view of followed.views)
      expect([view.objects.length, regionsOf(view).size, view.problems.length]).toEqual([6, 1, 0]);
  });

  test.each([
    ["nothing yet", 0],
    ["whole documents", 2 * workload("a").length],
    ["the beginning of a document", 2 * workload("a").length + 50],
    ["all but the last value's end", 6 * workload("a").length - 6],
  ])("with %s is not believed while its writer pauses", async (_name, bytes) => {
    await write("all.yaml", whole("a"));
    // Doubt lasts for two seconds: more than a busy machine may stall between the lines below.
    const followed = await follow(100);
    const file = await open(join(directory, "all.yaml"), "w");
    await file.write(whole("z").slice(0, bytes));
    // By then a change that rests as long, and does not look unfinished, has been taken over.
    await write("other.yaml", workload("o"));
    await followed.until((view) => view.objects.length === 7);
    await file.write(whole("z").slice(bytes));
    await file.close();
    await followed.until((view) => shown(view)[0] === "a:z in all.yaml");
    for (const view of followed.views) {
      expect(view.objects.length).toBe(7);
      expect(view.problems).toEqual([]);
    }
  });

  test("of many pages, streamed, is seen whole", async () => {
    const many = Array.from({ length: 400 }, (_, index) => workload(`w${index}`, "a", 1000 + index));
    const followed = await follow();
    const stream = createWriteStream(join(directory, "many.yaml"));
    for (const text of many) if (!stream.write(text)) await once(stream, "drain");
    stream.end();
    await followed.until((view) => view.objects.length > 0);
    expect(followed.view.objects).toHaveLength(400);
  });
});

describe("the last good", () => {
  const brokenText = workload("a", "new").replace("serviceAccount", "serviceAcount");
  const why = ["a.yaml:5:3: unknown field spec.serviceAcount; did you mean serviceAccount?"];

  test("stands while a file is broken, and is said to be stale", async () => {
    await write("a.yaml", workload("a") + workload("b"));
    const followed = await follow();
    await write("a.yaml", brokenText + workload("b", "new"));
    const view = await followed.until(({ problems }) => problems.length > 0);
    expect(shown(view)).toEqual(["a:a in a.yaml", "b:new in a.yaml"]);
    expect(view.problems.map((problem) => formatProblem(problem))).toEqual(why);
    expect([...view.stale]).toEqual([[key("a"), view.problems]]);
  });

  test("stands after a restart on a broken file; generations go on", async () => {
    await write("a.yaml", workload("a", "one"));
    const first = await follow();
    await write("a.yaml", workload("a", "two"));
    await first.until((view) => shown(view)[0] === "a:two in a.yaml");
    await first[Symbol.asyncDispose]();
    await write("a.yaml", brokenText);
    const second = await follow();
    expect(shown(second.view)).toEqual(["a:two in a.yaml"]);
    expect([...second.view.generations]).toEqual([[key("a"), 2]]);
    expect([...second.view.stale.keys()]).toEqual([key("a")]);
    await write("a.yaml", workload("a", "three"));
    const view = await second.until(({ stale }) => stale.size === 0);
    expect([...view.generations]).toEqual([[key("a"), 3]]);
  });

  test("stands after a process that was killed", async () => {
    const kept = join(root, "last-good.json");
    await write("a.yaml", workload("a", "one"));
    const program = `
      import { openDirectorySource } from ${JSON.stringify(new URL("directory-source.ts", import.meta.url).href)};
      import { pino } from "pino";
      const [directory, lastGoodFile] = process.argv.slice(1);
      const onChange = () => {};
      await openDirectorySource({ directory, lastGoodFile, logger: pino({ level: "silent" }), onChange });
      console.log("open");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program, directory, kept], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const exited = once(child, "exit");
    try {
      await once(child.stdout, "data");
      await write("a.yaml", workload("a", "two"));
      // Written behind: it need not be there yet.
      while (!(await readFile(kept, "utf8").catch(() => "")).includes("two")) await setTimeout(5);
    } finally {
      child.kill("SIGKILL");
      await exited;
    }
    await write("a.yaml", brokenText);
    const { view } = await follow();
    expect([shown(view), [...view.generations]]).toEqual([["a:two in a.yaml"], [[key("a"), 2]]]);
  });

  test("that was deleted while nobody looked goes", async () => {
    await write("a.yaml", workload("a"));
    await write("b.yaml", workload("b"));
    await (await follow())[Symbol.asyncDispose]();
    await rm(join(directory, "a.yaml"));
    const followed = await follow();
    await followed.until((view) => view.objects.length === 1);
    expect(shown(followed.view)).toEqual(["b:a in b.yaml"]);
  });

  test("is private on disk, and damage to it costs only itself", async () => {
    await write("a.yaml", workload("a"));
    await (await follow())[Symbol.asyncDispose]();
    const kept = join(root, "last-good.json");
    expect(await readFile(kept, "utf8")).toContain("kind: Workload");
    await writeFile(kept, "{");
    expect(shown((await follow()).view)).toEqual(["a:a in a.yaml"]);
  });

  test("stands while the directory is away, or an empty one is in its place, until manifests are back", async () => {
    await write("a.yaml", workload("a", "one"));
    const followed = await follow();
    await rename(directory, join(root, "away"));
    const away = await followed.until(({ problems }) => problems.length > 0);
    expect([shown(away), [...away.stale.keys()]]).toEqual([["a:one in a.yaml"], [key("a")]]);
    await mkdir(directory);
    const empty = await followed.until(({ problems }) => problems[0]?.message.includes("no manifest") === true);
    expect(shown(empty)).toEqual(["a:one in a.yaml"]);
    await write("a.yaml", workload("a", "two"));
    await followed.until((view) => shown(view)[0] === "a:two in a.yaml" && view.problems.length === 0);
    // The new directory is watched as the old one was.
    await write("a.yaml", workload("a", "three"));
    await followed.until((view) => shown(view)[0] === "a:three in a.yaml");
  });

  test.skipIf(process.getuid?.() === 0)("stands while its file may not be read", async () => {
    await write("a.yaml", workload("a"));
    const followed = await follow();
    await chmod(join(directory, "a.yaml"), 0);
    const view = await followed.until(({ problems }) => problems.length > 0);
    expect([shown(view), view.problems[0]?.code]).toEqual([["a:a in a.yaml"], "unreadable"]);
    await chmod(join(directory, "a.yaml"), 0o600);
    await followed.until(({ problems }) => problems.length === 0);
  });

  test.each([
    ["is not UTF-8", Buffer.from([0x61, 0xff]), "syntax"],
    ["is too large", Buffer.alloc(1_048_577, "#"), "too_large"],
  ])("stands while its file %s", async (_name, content, code) => {
    await write("a.yaml", workload("a"));
    const followed = await follow();
    await writeFile(join(directory, "a.yaml"), content);
    const view = await followed.until(({ problems }) => problems.length > 0);
    expect([shown(view), view.problems[0]?.code]).toEqual([["a:a in a.yaml"], code]);
    expect([...view.stale.keys()]).toEqual([key("a")]);
  });

  test("stands while links that lead to one another make too many directories of a few", async () => {
    await write("a.yaml", workload("a"));
    const followed = await follow();
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    for (const from of names) await mkdir(join(directory, from));
    for (const from of names)
      for (const to of names) if (from !== to) await symlink(join(directory, to), join(directory, from, to));
    const view = await followed.until(({ problems }) => problems.length > 0);
    expect([shown(view), view.problems[0]?.code]).toEqual([["a:a in a.yaml"], "too_large"]);
  });

  test("stands while a link leads nowhere", async () => {
    await writeFile(join(root, "real.yaml"), workload("a"));
    await symlink("../real.yaml", join(directory, "a.yaml"));
    const followed = await follow();
    await rm(join(root, "real.yaml"));
    const view = await followed.until(({ problems }) => problems.length > 0);
    expect([shown(view), view.problems[0]?.code]).toEqual([["a:a in a.yaml"], "unreadable"]);
  });
});
