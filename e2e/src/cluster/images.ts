import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { envoyPath } from "../../../scripts/envoy-path.js";
import { type Image, imageOf } from "./image/archive.ts";
import { layerOf, pruneLayers } from "./image/layer.ts";
import type { ImagePlan, LayerPlan } from "./image/plan.ts";
import { type LockedPackage, type Production, productionOf } from "./image/production.ts";
import { root } from "./places.ts";
import { builtProgram } from "./programs.ts";

export type { Image };

/** What images are made of this checkout. */
export type ImageName = "control-plane" | "sidecar" | "predictor" | "toolbox";

export interface ImageOptions {
  /** Default `dev`. */
  readonly tag?: string;
  /** Files put over the image's own, by path: makes a build that differs. */
  readonly texts?: Readonly<Record<string, string>>;
  readonly progress?: ((step: string) => void) | undefined;
}

const home = "/opt/hedgerow";
const multiarch = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
const path = `${home}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin`;
const nobody = "65532:65532";
const proxy = "1337:1337";

/** Makes hedgerow.dev/NAME:dev from the files of this machine; what did not change since the last time is not made again. */
export async function buildImages(names: readonly ImageName[], options: ImageOptions = {}): Promise<readonly Image[]> {
  const { tag = "dev", texts, progress } = options;
  const images = names.map((name) => {
    const plan = plans[name]();
    const layers = texts === undefined ? plan.layers : [...plan.layers, { name: `${name}-${tag}`, texts }];
    const made = layers.map((layer) => layerOf(layer, (which) => progress?.(`image layer ${which}`)));
    return imageOf(`hedgerow.dev/${name}:${tag}`, { ...plan, layers }, made);
  });
  pruneLayers();
  return images;
}

/** What a pod's namespaces are kept by, for the node itself. */
export function pauseImage(): Image {
  const plan: ImagePlan = {
    layers: [{ name: "pause", copies: [{ from: builtProgram("pause"), to: "/pause" }] }],
    entrypoint: ["/pause"],
    user: nobody,
  };
  const layers = plan.layers.map((layer) => layerOf(layer, () => {}));
  return imageOf("hedgerow.dev/pause:dev", plan, layers);
}

const plans: Readonly<Record<ImageName, () => ImagePlan>> = {
  "control-plane": () => ({
    layers: [system(), node(), ...part("control-plane")],
    entrypoint: ["node", `${home}/control-plane/src/main.ts`],
    environment: { PATH: path },
    user: nobody,
  }),
  sidecar: () => ({
    layers: [system(), node(), iptables(), envoy(), ...part("sidecar")],
    entrypoint: [`${home}/sidecar/entrypoint.sh`],
    environment: { PATH: path, ENVOY_BIN: "/usr/local/bin/envoy" },
    user: proxy,
  }),
  predictor: () => ({
    layers: [system(), node(), ...part("predictor")],
    entrypoint: ["node", `${home}/predictor/src/main.ts`],
    environment: { PATH: path, ORT_DISABLE_TELEMETRY: "1", HEDGEROW_MODELS: `${home}/predictor/models` },
    user: nobody,
  }),
  toolbox: () => ({
    layers: [system(), node(), iptables()],
    command: ["sh"],
    environment: { PATH: path },
    user: "0:0",
  }),
};

const applets =
  "awk cat cp date echo env false grep head hostname id ip kill ls mkdir mount mv nc netstat nslookup ping ps rm sed sh " +
  "sleep sort tail test timeout touch tr true wc wget";

/** A shell and what a person looks around with. */
function system(): LayerPlan {
  const account = (name: string, id: number) => `${name}:x:${id}:${id}:${name}:/:/bin/sh\n`;
  const group = (name: string, id: number) => `${name}:x:${id}:\n`;
  const accounts = { root: 0, proxy: 1337, nonroot: 65_532, nobody: 65_534 };
  const lines = (line: (name: string, id: number) => string) =>
    Object.entries(accounts)
      .map(([name, id]) => line(name, id))
      .join("");
  return {
    name: "system",
    copies: [{ from: "/bin/busybox", to: "/usr/bin/busybox" }],
    links: {
      "/bin": "usr/bin",
      "/sbin": "usr/sbin",
      "/lib": "usr/lib",
      "/lib64": "usr/lib64",
      ...Object.fromEntries(applets.split(" ").map((name) => [`/usr/bin/${name}`, "busybox"])),
    },
    texts: {
      "/etc/passwd": lines(account),
      "/etc/group": lines(group),
      "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    },
    directories: {
      "/dev": 0o755,
      "/proc": 0o755,
      "/root": 0o700,
      "/run": 0o755,
      "/sys": 0o755,
      "/tmp": 0o1777,
      "/usr/lib64": 0o755,
      "/usr/sbin": 0o755,
      "/var": 0o755,
    },
  };
}

function node(): LayerPlan {
  const folder = `node_modules/node-linux-${process.arch}/bin`;
  return {
    name: "node",
    copies: [{ from: join(root, folder), to: `${home}/${folder}` }],
    links: { [`${home}/node_modules/.bin/node`]: `../node-linux-${process.arch}/bin/node` },
  };
}

function envoy(): LayerPlan {
  return { name: "envoy", copies: [{ from: envoyPath(), to: "/usr/local/bin/envoy" }] };
}

/** The variant that programs nftables, under the usual names and its own. */
function iptables(): LayerPlan {
  const names = ["iptables", "ip6tables"].flatMap((family) =>
    ["", "-save", "-restore"].flatMap((action) => [`${family}${action}`, `${family}-nft${action}`]),
  );
  return {
    name: "iptables",
    copies: [
      { from: "/usr/sbin/xtables-nft-multi", to: "/usr/sbin/xtables-nft-multi" },
      { from: `/usr/lib/${multiarch}/xtables`, to: `/usr/lib/${multiarch}/xtables` },
    ],
    links: Object.fromEntries(names.map((name) => [`/usr/sbin/${name}`, "xtables-nft-multi"])),
  };
}

/** Dependencies in one layer and our own sources in the next: of a changed source only the small one is new. */
function part(name: string): readonly LayerPlan[] {
  const { workspaces, packages } = productionOfCheckout(name);
  return [
    {
      name: `${name}-dependencies`,
      copies: packages.map((folder) => ({ from: join(root, folder), to: `${home}/${folder}`, leaveOut: isNotForHere })),
    },
    {
      name,
      copies: workspaces.map((folder) => ({ from: join(root, folder), to: `${home}/${folder}`, leaveOut: isNotRun })),
      links: Object.fromEntries(
        workspaces.map((folder) => [`${home}/node_modules/@hedgerow/${folder}`, `../../${folder}`]),
      ),
    },
  ];
}

// Dependencies within them are packages of their own here; what onnxruntime brings for other machines is 250 MB.
function isNotForHere(inner: string): boolean {
  const native = /^bin\/napi-v\d+\/(\w+)\/(\w+)/.exec(inner);
  return (
    inner === "node_modules" ||
    inner.endsWith("/node_modules") ||
    inner.endsWith(".map") ||
    (native !== null && (native[1] !== process.platform || native[2] !== process.arch))
  );
}

function isNotRun(inner: string): boolean {
  return (
    /(^|\/)(node_modules|dist|test|testing|training|tsconfig\.json)$/.test(inner) ||
    /\.(test\.ts|tsbuildinfo|proto)$/.test(inner)
  );
}

// What a workspace needs is in its package.json; what that means, in the lockfile.
function productionOfCheckout(name: string): Production {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const workspaces = Object.values(packages).flatMap(({ link, resolved }) => (link && resolved ? [resolved] : []));
  const own = workspaces.flatMap((folder) => {
    const file = join(root, folder, "package.json");
    return existsSync(file) ? [[folder, JSON.parse(readFileSync(file, "utf8")) as LockedPackage] as const] : [];
  });
  return productionOf(name, { ...packages, ...Object.fromEntries(own) });
}
