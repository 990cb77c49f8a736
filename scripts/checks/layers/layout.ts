// Who may import whom, and what is pure: ARCHITECTURE.md, "The flow", for the machine. Add a folder or a pure file here.

/** A workspace and the workspaces that it may import. */
export interface Workspace {
  readonly name: string;
  readonly mayImport: readonly string[];
  /**
   * What its index.ts may re-export: `pure` only what is pure, so that importing it brings no socket, file or timer;
   * `any` where the whole workspace is meant to be imported.
   */
  readonly door: "pure" | "any";
  /** True for workspaces that run everything as processes: they may also import what is in scripts/. */
  readonly runsEverything?: true;
}

/** A folder and what in it is pure: all of it, with its subfolders, or the files named; the rest is an edge. */
export interface Area {
  readonly folder: string;
  readonly pure: "all" | readonly string[];
}

export interface Layout {
  readonly workspaces: readonly Workspace[];
  /** In the order in which data travels: what is pure imports only what is pure and stands earlier or beside it. */
  readonly flow: readonly Area[];
  /** npm packages that pure code may use: they compute, and do nothing else. */
  readonly purePackages: readonly string[];
  /** What pure code may import of node:crypto: to hash and to verify, never to make keys, signatures or randomness. */
  readonly pureCrypto: readonly string[];
}

export const layout: Layout = {
  workspaces: [
    { name: "proto", mayImport: [], door: "any" },
    { name: "manifest", mayImport: [], door: "pure" },
    { name: "policy", mayImport: ["manifest"], door: "pure" },
    { name: "control-plane", mayImport: ["proto", "manifest", "policy"], door: "pure" },
    { name: "sidecar", mayImport: ["proto", "manifest", "policy"], door: "pure" },
    { name: "predictor", mayImport: ["proto"], door: "pure" },
    {
      name: "cli",
      mayImport: ["proto", "manifest", "policy", "control-plane", "sidecar", "predictor"],
      door: "pure",
    },
    { name: "e2e", mayImport: ["proto"], door: "any", runsEverything: true },
    { name: "bench", mayImport: ["proto", "e2e"], door: "any", runsEverything: true },
  ],
  flow: [],
  purePackages: ["@bufbuild/protobuf", "node-forge", "yaml", "zod"],
  pureCrypto: [
    "createHash",
    "createHmac",
    "createPublicKey",
    "createVerify",
    "hash",
    "KeyObject",
    "timingSafeEqual",
    "verify",
    "X509Certificate",
  ],
};
