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
  /** Other doors, as in `store` for @hedgerow/NAME/store, behind which are edges: pure code may not use them. */
  readonly edgeDoors?: readonly string[];
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
    { name: "ledger", mayImport: [], door: "pure", edgeDoors: ["store"] },
    { name: "control-plane", mayImport: ["proto", "manifest", "policy", "ledger"], door: "pure" },
    { name: "sidecar", mayImport: ["proto", "manifest", "policy", "ledger"], door: "pure" },
    { name: "predictor", mayImport: ["proto"], door: "pure" },
    // Nobody imports the command line.
    {
      name: "cli",
      mayImport: ["proto", "manifest", "policy", "ledger", "control-plane", "sidecar", "predictor"],
      door: "any",
    },
    { name: "e2e", mayImport: ["proto", "ledger"], door: "any", runsEverything: true },
    { name: "bench", mayImport: ["e2e", "ledger", "proto"], door: "any", runsEverything: true },
  ],
  flow: [
    // Of the wire, what needs no socket: what a request may hold, and how its tensors are read.
    { folder: "proto/src/scan", pure: "all" },
    { folder: "proto/src/tensor", pure: "all" },

    { folder: "manifest/src", pure: "all" },
    { folder: "policy/src", pure: "all" },
    {
      folder: "ledger/src",
      pure: [
        "chain-check.ts",
        "checkpoint-check.ts",
        "checkpoint-jws.ts",
        "checkpoint.ts",
        "errors.ts",
        "finding-list.ts",
        "finding.ts",
        "hash.ts",
        "identity.ts",
        "index.ts",
        "line.ts",
        "merkle.ts",
        "proof.ts",
        "record.ts",
        "segment-check.ts",
        "verifier.ts",
      ],
    },
    // Files on disk: the one edge that two runtimes share.
    { folder: "ledger/src/store", pure: [] },

    { folder: "control-plane/src", pure: ["config.ts", "errors.ts", "text.ts"] },
    {
      folder: "control-plane/src/kubernetes",
      pure: [
        "answer.ts",
        "errors.ts",
        "json-fields.ts",
        "kubeconfig.ts",
        "object-ledger.ts",
        "protobuf-list.ts",
        "protobuf.ts",
        "resource-version.ts",
        "watch-event.ts",
        "watch-lines.ts",
      ],
    },
    { folder: "control-plane/src/source", pure: [] },
    // What a snapshot is stands before translate, which fills one; what is done with one stands after.
    { folder: "control-plane/src/snapshot", pure: ["encode.ts", "layers.ts", "snapshot.ts"] },
    // What Kubernetes objects say, as values; its types stand before what reads them.
    { folder: "control-plane/src/cluster", pure: "all" },
    { folder: "control-plane/src/last-good", pure: "all" },
    {
      folder: "control-plane/src/source/kubernetes",
      pure: ["cluster-part.ts", "manifest-part.ts", "read-manifest.ts"],
    },
    { folder: "control-plane/src/readiness", pure: ["tracker.ts"] },
    { folder: "control-plane/src/model", pure: "all" },
    { folder: "control-plane/src/translate", pure: "all" },
    {
      folder: "control-plane/src/snapshot",
      pure: ["checked.ts", "consistency.ts", "decode.ts", "references.ts", "yaml.ts"],
    },
    {
      folder: "control-plane/src/ads",
      pure: [
        "blame.ts",
        "departed.ts",
        "empty-assignment.ts",
        "encode.ts",
        "order.ts",
        "proxy-state.ts",
        "references.ts",
        "request.ts",
        "session.ts",
        "subscription.ts",
        "type-state.ts",
      ],
    },
    { folder: "control-plane/src/status", pure: "all" },
    {
      folder: "control-plane/src/ca",
      pure: [
        "attestation.ts",
        "csr.ts",
        "der.ts",
        "issue.ts",
        "names.ts",
        "oids.ts",
        "peer.ts",
        "rate-limit.ts",
        "service-account-token.ts",
        "token.ts",
      ],
    },
    {
      folder: "control-plane/src/inject",
      pure: [
        "annotations.ts",
        "app-metrics.ts",
        "audit-storage.ts",
        "context.ts",
        "edit.ts",
        "json-patch.ts",
        "names.ts",
        "obstacles.ts",
        "pod.ts",
        "probes.ts",
        "problem.ts",
        "quantity.ts",
        "review.ts",
        "shape.ts",
        "sidecar.ts",
        "status.ts",
        "warnings.ts",
        "workload.ts",
      ],
    },
    { folder: "control-plane/src/witness", pure: ["ed25519.ts", "judge.ts", "witnessed-line.ts"] },
    { folder: "control-plane/src/audit", pure: ["edits.ts", "webhook-edit.ts"] },
    { folder: "control-plane/src/peers", pure: ["report.ts"] },
    { folder: "control-plane/src/world", pure: ["replica-endpoints.ts"] },
    { folder: "control-plane/src/admin", pure: ["rights.ts"] },
    { folder: "control-plane/src/metrics", pure: [] },
    { folder: "control-plane/src", pure: ["index.ts"] },

    { folder: "sidecar/src/capture", pure: ["rules.ts", "settings.ts"] },
    { folder: "sidecar/src/probes", pure: ["settings.ts"] },
    { folder: "sidecar/src", pure: ["backoff.ts", "config.ts", "errors.ts", "settings.ts"] },
    { folder: "sidecar/src/inspect/decode", pure: "all" },
    {
      folder: "sidecar/src/inspect",
      pure: ["caller.ts", "decide.ts", "digest.ts", "mount.ts", "refusal.ts", "repeats.ts", "rules.ts"],
    },
    { folder: "sidecar/src/ledger/outcomes", pure: ["outcome-line.ts", "pending.ts"] },
    { folder: "sidecar/src/ledger/sinks", pure: [] },
    { folder: "sidecar/src/ledger", pure: ["missed.ts"] },
    {
      folder: "sidecar/src/relay",
      pure: [
        "delta-messages.ts",
        "envoy-side.ts",
        "own-type.ts",
        "rejection.ts",
        "session.ts",
        "suspects.ts",
        "type-relay.ts",
        "type-state.ts",
        "upstream-side.ts",
        "workload-config.ts",
      ],
    },
    { folder: "sidecar/src/identity", pure: ["csr.ts", "renewal.ts", "spiffe.ts", "svid.ts", "token.ts"] },
    { folder: "sidecar/src/sds", pure: ["secrets.ts"] },
    { folder: "sidecar/src/envoy", pure: ["bootstrap.ts"] },
    { folder: "sidecar/src/ready", pure: ["readiness.ts"] },
    { folder: "sidecar/src/metrics", pure: ["agent-page.ts", "family.ts", "inspect-families.ts", "merge.ts"] },
    { folder: "sidecar/src", pure: ["index.ts"] },

    { folder: "predictor/src", pure: ["config.ts", "errors.ts"] },
    { folder: "predictor/src/text", pure: "all" },
    { folder: "predictor/src/model", pure: "all" },
    { folder: "predictor/src/repository", pure: [] },
    { folder: "predictor/src/decode", pure: "all" },
    { folder: "predictor/src/worker", pure: ["messages.ts"] },
    { folder: "predictor/src/encode", pure: "all" },
    { folder: "predictor/src/service", pure: ["byte-budget.ts"] },
    { folder: "predictor/src", pure: ["index.ts"] },

    { folder: "cli/src/screen", pure: ["count.ts", "cut.ts", "printable.ts"] },
    // Of records in, what is to be said of them out.
    {
      folder: "cli/src/audit",
      pure: [
        "csv.ts",
        "entry-view.ts",
        "entry.ts",
        "join-outcomes.ts",
        "ledger-report.ts",
        "newest.ts",
        "reasons.ts",
        "selection.ts",
        "time-range.ts",
        "words.ts",
      ],
    },
    { folder: "cli/src/evidence", pure: "all" },
    // What kubectl saw in, what is to be said of it out.
    { folder: "cli/src/check", pure: "all" },
  ],
  // Of jose only what answers at once passes: the rest is asynchronous.
  purePackages: ["@bufbuild/protobuf", "jose", "node-forge", "yaml", "zod"],
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
