// What one sidecar alone gets.
import {
  CLUSTER_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "@hedgerow/proto";
import { type Cluster, ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { InspectionConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import type { Capture, InboundPort, MeshWorkload } from "../model/model.ts";
import type { ResourceEncoder } from "../snapshot/encode.ts";
import type { Origin, Resource } from "../snapshot/snapshot.ts";
import {
  BLACKHOLE_CLUSTER,
  capturedInboundCluster,
  INBOUND_PASSTHROUGH_CLUSTER,
  PASSTHROUGH_CLUSTER,
} from "./cluster-capture.ts";
import { inboundCluster } from "./cluster-inbound.ts";
import { inspectedPorts, inspectionConfig } from "./inspection-config.ts";
import { INBOUND_CAPTURE_PORT, inboundCaptureListener, outboundCaptureListener } from "./listener-capture.ts";
import { inboundListener } from "./listener-inbound.ts";
import { inboundRoute } from "./route-inbound.ts";
import { workloadConfig } from "./workload-config.ts";

/** Everything of it that no other workload has a part in. */
export class WorkloadTranslation {
  readonly #trustDomain: string;
  readonly #workload: MeshWorkload;
  readonly #encoder: ResourceEncoder;
  readonly #itself: Origin;

  constructor(trustDomain: string, workload: MeshWorkload, encoder: ResourceEncoder) {
    this.#trustDomain = trustDomain;
    this.#workload = workload;
    this.#encoder = encoder;
    this.#itself = { object: workload.object, path: ["spec"] };
  }

  *resources(): Iterable<Resource> {
    const { capture } = this.#workload;
    const inbound =
      capture === undefined
        ? this.#workload.inbound
        : // Nobody can listen there beside the sidecar.
          this.#workload.inbound.filter(({ port }) => port !== INBOUND_CAPTURE_PORT);
    if (capture === undefined) for (const port of inbound) yield* this.#inbound(port);
    else yield* this.#captured(capture, inbound);
    yield* this.#inspection(inbound);
    yield this.#encoder.encode({
      typeUrl: WORKLOAD_CONFIG_TYPE_URL,
      name: this.#workload.nodeId,
      schema: WorkloadConfigSchema,
      message: workloadConfig(this.#workload),
      origins: [this.#itself],
    });
  }

  #inbound(inbound: InboundPort): readonly Resource[] {
    return [
      this.#cluster(inboundCluster(inbound), inbound.origin),
      this.#listener(inboundListener(this.#trustDomain, this.#workload, inbound), [inbound.origin]),
      this.#route(inbound),
    ];
  }

  *#captured(capture: Capture, inbound: readonly InboundPort[]): Iterable<Resource> {
    for (const port of inbound) {
      yield this.#cluster(capturedInboundCluster(this.#workload.address, port), port.origin);
      if (port.protocol !== "tcp") yield this.#route(port);
    }
    // Who may open connections without HTTP is decided in the listener.
    const origins = inbound.flatMap(({ origin, accessOrigins }) => [...accessOrigins, origin]);
    const listener = inboundCaptureListener(this.#trustDomain, { ...this.#workload, inbound }, capture);
    yield this.#listener(listener, [this.#itself, ...origins]);
    yield this.#listener(outboundCaptureListener(capture), [this.#itself]);
    for (const cluster of [PASSTHROUGH_CLUSTER, BLACKHOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER])
      yield this.#cluster(cluster, this.#itself);
  }

  /** None where nothing is inspected. */
  *#inspection(inbound: readonly InboundPort[]): Iterable<Resource> {
    const ports = inspectedPorts(inbound);
    if (ports.length === 0) return;
    yield this.#encoder.encode({
      typeUrl: INSPECTION_CONFIG_TYPE_URL,
      name: this.#workload.nodeId,
      schema: InspectionConfigSchema,
      message: inspectionConfig(ports, this.#workload.region),
      origins: [
        ...ports.flatMap(({ inspection }) => inspection.origins),
        ...ports.flatMap(({ accessOrigins }) => accessOrigins),
        this.#itself,
      ],
    });
  }

  #cluster(message: Cluster, origin: Origin): Resource {
    const { name } = message;
    return this.#encoder.encode({
      typeUrl: CLUSTER_TYPE_URL,
      name,
      schema: ClusterSchema,
      message,
      origins: [origin],
    });
  }

  #listener(message: Listener, origins: readonly Origin[]): Resource {
    const { name } = message;
    return this.#encoder.encode({ typeUrl: LISTENER_TYPE_URL, name, schema: ListenerSchema, message, origins });
  }

  #route(inbound: InboundPort): Resource {
    const message = inboundRoute(this.#workload.nodeId, inbound);
    return this.#encoder.encode({
      typeUrl: ROUTE_TYPE_URL,
      name: message.name,
      schema: RouteConfigurationSchema,
      message,
      origins: [
        ...inbound.accessOrigins,
        ...(inbound.inspection?.origins ?? []),
        ...inbound.trafficOrigins,
        inbound.origin,
      ],
    });
  }
}
