import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import process from "node:process";
import type { Layer } from "./layer.ts";
import type { ImagePlan } from "./plan.ts";
import { end, header, padding } from "./tar.ts";

/** An image as containerd imports it: layers, and two JSON documents, each known by the SHA-256 of its bytes. */
export interface Image {
  /** With its tag. */
  readonly name: string;
  /** Of the manifest, and so of all of it: 64 hexadecimal digits. */
  readonly digest: string;
  readonly manifest: string;
  readonly config: string;
  readonly layers: readonly Layer[];
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
  const configText = JSON.stringify(config);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: descriptor(mediaTypes.config, configText),
    layers: layers.map(({ digest, bytes }) => ({
      mediaType: mediaTypes.layer,
      digest: `sha256:${digest}`,
      size: bytes,
    })),
  });
  return { name, layers, config: configText, manifest, digest: sha256(manifest) };
}

// https://github.com/opencontainers/image-spec/blob/main/media-types.md
const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const descriptor = (mediaType: string, text: string) => ({
  mediaType,
  digest: `sha256:${sha256(text)}`,
  size: Buffer.byteLength(text),
});

/** The bytes of an OCI image layout, as a tar file, of all the images: what several of them have is in it once. */
export async function* archiveOf(images: readonly Image[]): AsyncGenerator<Uint8Array> {
  const index = {
    schemaVersion: 2,
    manifests: images.map(({ name, manifest }) => ({
      ...descriptor(mediaTypes.manifest, manifest),
      annotations: { "io.containerd.image.name": name },
    })),
  };
  yield* text("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  yield* text("index.json", JSON.stringify(index));
  const documents = new Set(images.flatMap(({ config, manifest }) => [config, manifest]));
  for (const document of documents) yield* text(`blobs/sha256/${sha256(document)}`, document);
  const layers = new Map(images.flatMap((image) => image.layers.map((layer) => [layer.digest, layer] as const)));
  for (const { digest, file, bytes } of layers.values()) {
    yield header({ kind: "file", path: `blobs/sha256/${digest}`, mode: 0o644, bytes });
    yield* createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    yield padding(bytes);
  }
  yield end;
}

function* text(path: string, contents: string): Generator<Uint8Array> {
  const bytes = Buffer.from(contents);
  yield header({ kind: "file", path, mode: 0o644, bytes: bytes.length });
  yield bytes;
  yield padding(bytes.length);
}
