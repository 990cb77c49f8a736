/** What npm wrote of a package in package-lock.json; of a workspace's link, where it leads. */
export interface LockedPackage {
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** What a part needs where it runs: folders relative to the checkout, in order. */
export interface Production {
  /** Our own, the part among them. */
  readonly workspaces: readonly string[];
  /** Of others, in node_modules. */
  readonly packages: readonly string[];
}

/**
 * Follows a workspace's dependencies through the lockfile, as Node resolves them; what is only for development is never
 * reached. Throws where a dependency that is neither optional nor a peer is missing from the lockfile.
 */
export function productionOf(part: string, locked: Readonly<Record<string, LockedPackage>>): Production {
  const workspaces = new Set<string>();
  const packages = new Set<string>();
  const visit = (folder: string): void => {
    const reached = folder.includes("node_modules/") ? packages : workspaces;
    if (reached.has(folder)) return;
    reached.add(folder);
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = locked[folder] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      // Types are erased before anything runs.
      if (name.startsWith("@types/")) continue;
      const found = resolve(folder, name, locked);
      if (found !== undefined) visit(found);
      else if (name in dependencies && !(name in optionalDependencies))
        throw new Error(`${folder} depends on ${name}, which package-lock.json does not have`);
    }
  };
  visit(part);
  return { workspaces: [...workspaces].sort(), packages: [...packages].sort() };
}

/** The package that code in the folder means by a name: the nearest node_modules has it, from the inside out. */
function resolve(folder: string, name: string, locked: Readonly<Record<string, LockedPackage>>): string | undefined {
  for (let at = folder; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
    const candidate = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    const found = locked[candidate];
    if (found !== undefined) return found.link ? found.resolved : candidate;
    if (at === "") return undefined;
  }
}
