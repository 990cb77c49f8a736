/** What a layer of an image holds. Paths in the image are absolute, and those of system files the ones under /usr. */
export interface LayerPlan {
  readonly name: string;
  /** Files and folders of this machine; with a program or a library come the libraries that it loads. */
  readonly copies?: readonly Copy[];
  /** Path → target. */
  readonly links?: Readonly<Record<string, string>>;
  /** Path → contents. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Path → mode. Those above a file need no mention. */
  readonly directories?: Readonly<Record<string, number>>;
}

export interface Copy {
  readonly from: string;
  readonly to: string;
  /** Of a folder: true for paths, relative to it, that stay out. */
  readonly leaveOut?: (path: string) => boolean;
}

export interface ImagePlan {
  readonly layers: readonly LayerPlan[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Numeric, so that a kubelet can tell that it is not root. */
  readonly user: string;
}
