/** Absolute path of Envoy 1.40: ENVOY_BIN, or the one that set-up brought. Throws where there is none. */
export function envoyPath(): string;
