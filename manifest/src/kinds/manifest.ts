import type { AccessPolicy } from "./access-policy.ts";
import { accessPolicy } from "./access-policy.ts";
import type { AuditPolicy } from "./audit-policy.ts";
import { auditPolicy } from "./audit-policy.ts";
import type { HTTPRoute } from "./http-route.ts";
import { httpRoute } from "./http-route.ts";
import type { MeshConfig } from "./mesh-config.ts";
import { meshConfig } from "./mesh-config.ts";
import type { Service } from "./service.ts";
import { service } from "./service.ts";
import type { TrafficPolicy } from "./traffic-policy.ts";
import { trafficPolicy } from "./traffic-policy.ts";
import type { Workload } from "./workload.ts";
import { workload } from "./workload.ts";

/** Any manifest, defaults filled in. */
export type Manifest = MeshConfig | Workload | Service | HTTPRoute | AccessPolicy | AuditPolicy | TrafficPolicy;

/** Every kind that Hedgerow reads, in the order in which a reader meets them. A new kind is one file and one line here. */
export const manifestSchemas = {
  MeshConfig: meshConfig,
  Workload: workload,
  Service: service,
  HTTPRoute: httpRoute,
  AccessPolicy: accessPolicy,
  AuditPolicy: auditPolicy,
  TrafficPolicy: trafficPolicy,
} as const;
