// What the injector writes into a pod, and what it reads there. The agent, the capture and the cluster's source know these names.

export const INJECT_LABEL = "hedgerow.dev/inject";
/** Tells the control plane's source which pods have a sidecar. */
export const MESH_LABEL = "hedgerow.dev/mesh";
/** What the injector did, as JSON; it recognises its own work by it. */
export const STATUS_ANNOTATION = "hedgerow.dev/status";

export const INIT_CONTAINER = "hedgerow-init";
export const PROXY_CONTAINER = "hedgerow-proxy";
export const RUN_VOLUME = "hedgerow-run";
export const TOKEN_VOLUME = "hedgerow-token";
/** Empty: stands where the application's API token would be put into our containers, which have no use for it. */
export const NO_TOKEN_VOLUME = "hedgerow-no-token";
/** Audit ledgers, where the pod names no volume of its own for them. */
export const AUDIT_VOLUME = "hedgerow-audit";
/** One for each Secret that a pod names. */
export const SECRET_VOLUMES: readonly string[] = Array.from({ length: 16 }, (_, index) => `hedgerow-secret-${index}`);
export const OUR_CONTAINERS: readonly string[] = [INIT_CONTAINER, PROXY_CONTAINER];
export const OUR_VOLUMES: readonly string[] = [
  RUN_VOLUME,
  TOKEN_VOLUME,
  NO_TOKEN_VOLUME,
  AUDIT_VOLUME,
  ...SECRET_VOLUMES,
];

/** The proxy's user and group: what it sends is not captured. */
export const PROXY_UID = 1337;
/** The agent's port: metrics, its own probes and those of the application. Never captured. */
export const AGENT_PORT = 15_020;
/** Outbound capture, inbound capture, the agent. */
export const PROXY_PORTS: readonly number[] = [15_001, 15_006, AGENT_PORT];
