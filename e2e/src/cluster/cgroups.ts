import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../mesh/until.ts";

const mounted = "/sys/fs/cgroup";

/** The roots of all hierarchies: one of version 2, or one a controller of version 1. */
function hierarchies(): readonly string[] {
  if (existsSync(join(mounted, "cgroup.controllers"))) return [mounted];
  return readdirSync(mounted)
    .map((name) => join(mounted, name))
    .filter((path) => existsSync(join(path, "cgroup.procs")));
}

/** Makes a cgroup in every hierarchy. */
export function makeCgroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const path = join(hierarchy, name);
    mkdirSync(path, { recursive: true });
    // A new cpuset of version 1 has neither processors nor memory, and nothing can run in it.
    for (const file of ["cpuset.cpus", "cpuset.mems"])
      if (
        existsSync(join(hierarchy, file)) &&
        existsSync(join(path, file)) &&
        readFileSync(join(path, file), "utf8").trim() === ""
      )
        writeFileSync(join(path, file), readFileSync(join(hierarchy, file)));
  }
}

/** Where the cgroup exists. */
export function cgroupFolders(name: string): readonly string[] {
  return hierarchies()
    .map((hierarchy) => join(hierarchy, name))
    .filter((path) => existsSync(path));
}

/** Removes a cgroup with all below it, once the processes in it are gone. */
export async function removeCgroup(name: string): Promise<void> {
  await until(`the cgroup ${name} is empty`, 10_000, () => {
    for (const folder of cgroupFolders(name)) removeFolder(folder);
    return cgroupFolders(name).length === 0;
  });
}

// Its files are the kernel's, and go with the folder.
function removeFolder(path: string): void {
  for (const inner of readdirSync(path, { withFileTypes: true }))
    if (inner.isDirectory()) removeFolder(join(path, inner.name));
  rmdirSync(path);
}
