export { type BootstrapInput, buildBootstrap } from "./envoy/bootstrap.ts";
