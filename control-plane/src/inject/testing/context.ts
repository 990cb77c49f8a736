import type { InjectionContext } from "../context.ts";

export const testContext: InjectionContext = {
  revision: "default",
  version: "0.1.0",
  image: "hedgerow.dev/sidecar:0.1.0",
  trustDomain: "bank.example",
  rootDigests: ["ab".repeat(32)],
  enrollAddress: "control-plane.hedgerow-system.svc:15010",
  meshAddress: "control-plane.hedgerow-system.svc:15012",
  concurrency: 2,
};
