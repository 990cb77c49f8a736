import { spawnSync } from "node:child_process";

/** The openssl command judges our certificates where it is installed; nothing else of Hedgerow needs it. */
export const hasOpenssl: boolean = spawnSync("openssl", ["version"]).status === 0;
