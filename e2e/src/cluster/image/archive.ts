import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import process from "node:process";
import type { Layer } from "./layer.ts";
import type { ImagePlan } from "./plan.ts";
import { end, header, padding } from "./tar.ts";

/** An image as containerd imports it. */
export interface Image {
  /** With its tag. */
  readonly name: string;
  readonly layers: readonly Layer[];
  /** The image's configuration, as JSON. */
  readonly config: string;
}

const epoch = "1970-01-01T00:00:00Z";
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The image that a plan and its layers, in the plan's order, make. */
export function imageOf(name: string, plan: ImagePlan, layers: readonly Layer[]): Image {
  const { entrypoint, command, environment = {}, user } = plan;
  const config = {
    architecture: architectures[process.arch],
    os: "linux",
    created: epoch,
    config: {
      User: user,
      Env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
      ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
      ...(command === undefined ? {} : { Cmd: command }),
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
    history: plan.layers.map(({ name: part }) => ({ created: epoch, created_by: part })),
  };
  return { name, layers, config: JSON.stringify(config) };
}

/** The bytes of a docker-archive of all the images: a layer that several of them have is in it once. */
export async function* archiveOf(images: readonly Image[]): AsyncGenerator<Uint8Array> {
  const text = function* (path: string, contents: string): Generator<Uint8Array> {
    const bytes = Buffer.from(contents);
    yield header({ kind: "file", path, mode: 0o644, bytes: bytes.length });
    yield bytes;
    yield padding(bytes.length);
  };
  const configPath = ({ config }: Image) => `${createHash("sha256").update(config).digest("hex")}.json`;
  for (const image of images) yield* text(configPath(image), image.config);
  const layers = new Map(images.flatMap((image) => image.layers.map((layer) => [layer.digest, layer] as const)));
  for (const { digest, file, bytes } of layers.values()) {
    yield header({ kind: "file", path: `${digest}.tar`, mode: 0o644, bytes });
    yield* createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    yield padding(bytes);
  }
  const manifest = images.map((image) => ({
    Config: configPath(image),
    RepoTags: [image.name],
    Layers: image.layers.map(({ digest }) => `${digest}.tar`),
  }));
  yield* text("manifest.json", JSON.stringify(manifest));
  yield end;
}
