import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pluginFolders } from "../node.ts";
import { allPrograms, isBuilt } from "../programs.ts";

/** Something that this machine lacks, and what to do about it. */
export interface Missing {
  readonly what: string;
  /** Debian's name of the package that brings it. */
  readonly package?: string;
  /** Where no package does. */
  readonly otherwise?: string;
}

const commands: Readonly<Record<string, readonly string[]>> = {
  "busybox-static": ["busybox"],
  conntrack: ["conntrack"],
  containerd: ["containerd", "containerd-shim-runc-v2", "ctr"],
  hostname: ["hostname"],
  iproute2: ["ip"],
  iptables: ["xtables-nft-multi"],
  "libc-bin": ["ldd"],
  mount: ["mount"],
  nftables: ["nft"],
  openssl: ["openssl"],
  procps: ["ps"],
  runc: ["runc"],
  "util-linux": ["flock", "nsenter", "setpriv", "unshare"],
};

const plugins = ["bridge", "host-local", "loopback", "portmap"];
const goRelease = [1, 26] as const;

/** All that is missing for a test cluster, at once. */
export function missingPrerequisites(): readonly Missing[] {
  const missing: Missing[] = [];
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch))
    missing.push({
      what: `Linux on x86-64 or arm64 (this is ${process.platform} ${process.arch})`,
      otherwise: "no way around",
    });
  if (process.getuid?.() !== 0)
    missing.push({ what: "root, for namespaces and cgroups", otherwise: "sudo -E npm run test:kubernetes" });
  for (const [name, needed] of Object.entries(commands)) {
    const absent = needed.filter((command) => !isOnPath(command));
    if (absent.length > 0) missing.push({ what: absent.join(", "), package: name });
  }
  if (!pluginFolders.some((folder) => plugins.every((plugin) => existsSync(join(folder, plugin)))))
    missing.push({ what: `CNI plugins ${plugins.join(", ")}`, package: "containernetworking-plugins" });
  if (!isOnPath("kubectl"))
    missing.push({
      what: "kubectl, 1.30 or newer",
      otherwise: "https://kubernetes.io/docs/tasks/tools/ (its own apt repository has a package kubectl)",
    });
  if (!allPrograms.every(isBuilt)) {
    const found = goVersion();
    if (found === undefined || found[0] < goRelease[0] || (found[0] === goRelease[0] && found[1] < goRelease[1]))
      missing.push({
        what: `Go ${goRelease.join(".")} or newer, to build Kubernetes once`,
        otherwise: "https://go.dev/dl/, and put its bin/ into PATH",
      });
  }
  return missing;
}

/** What a person is told; the packages in one command. */
export function report(missing: readonly Missing[]): string {
  const lines = missing.map(({ what, otherwise, package: name }) => `  - ${what}: ${otherwise ?? `package ${name}`}`);
  const packages = missing.flatMap((one) => one.package ?? []);
  const install =
    packages.length === 0 ? [] : [`Install with: apt-get install --no-install-recommends ${packages.join(" ")}`];
  return ["a test cluster needs what this machine lacks:", ...lines, ...install].join("\n");
}

function isOnPath(command: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function goVersion(): readonly [number, number] | undefined {
  try {
    const [, major, minor] =
      /go(\d+)\.(\d+)/.exec(execFileSync("go", ["env", "GOVERSION"], { encoding: "utf8" })) ?? [];
    return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
  } catch {
    return undefined;
  }
}
