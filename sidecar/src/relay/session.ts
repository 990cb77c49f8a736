import {
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "@hedgerow/proto";
import type { WorkloadConfig } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { DeltaRequest, DeltaResponse } from "./delta-messages.ts";
import { type OwnChange, OwnType } from "./own-type.ts";
import { composeError } from "./rejection.ts";
import { TypeRelay } from "./type-relay.ts";
import { decodeWorkloadConfig } from "./workload-config.ts";

/** More type URLs than Envoy has; a peer that asks for more is refused. */
const MAX_TYPES = 32;

/** Something that happened, for logs, metrics and the readiness probe. */
export type RelayEvent =
  | { readonly kind: "envoy_accepted"; readonly typeUrl: string }
  | { readonly kind: "envoy_rejected"; readonly typeUrl: string; readonly message: string }
  | { readonly kind: "stale_nonce"; readonly typeUrl: string }
  | { readonly kind: "own_config_rejected"; readonly message: string };

/** Of the InspectionConfig: put it in force, or take it out. */
export type InspectionChange = Exclude<OwnChange, { readonly kind: "nothing" }>;

/** What the edges must do after an input, in this order. */
export interface Effects {
  readonly toUpstream: readonly DeltaRequest[];
  readonly toEnvoy: readonly DeltaResponse[];
  readonly events: readonly RelayEvent[];
  /** The agent's own configuration, when it has just changed. */
  readonly workloadConfig: WorkloadConfig | undefined;
  /** What is to be inspected, when that changes: to be answered by `inspectionDone`. */
  readonly inspection: InspectionChange | undefined;
  /** Why the stream to the control plane, or that to Envoy, must be torn down. */
  readonly resetUpstream: string | undefined;
  readonly resetEnvoy: string | undefined;
}

/**
 * The relay between one Envoy and the control plane, without its sockets. One TypeRelay a type URL of Envoy; the agent's
 * own types beside them. Inputs in the order in which they happened; each returns what is to be sent.
 *
 * Envoy absent: what the control plane sends is held, the newest version a name, and stays unanswered, so that the control
 * plane shows the proxy as behind and sends no more of that type; subscriptions are kept, however long it takes. Nothing is
 * acknowledged that no Envoy has acknowledged.
 */
export class RelaySession {
  readonly #ownName: string;
  readonly #types = new Map<string, TypeRelay>();
  readonly #workload: OwnType;
  readonly #inspection: OwnType;
  #envoyStreams = 0;
  #nonces = 0;
  #envoyConnected = false;
  #envoySettled = false;
  #upstreamConnected = false;
  // The effects of the input under way.
  #toUpstream: DeltaRequest[] = [];
  #events: RelayEvent[] = [];
  #workloadConfig: WorkloadConfig | undefined;
  #inspectionChange: InspectionChange | undefined;
  #resetUpstream: string | undefined;
  #resetEnvoy: string | undefined;

  /**
   * `ownName` is the node id: the name of the one WorkloadConfig and the one InspectionConfig. `inspectionVersion` is that of
   * the latter which the agent has in force.
   */
  constructor(ownName: string, inspectionVersion?: string) {
    this.#ownName = ownName;
    this.#workload = new OwnType(WORKLOAD_CONFIG_TYPE_URL, ownName);
    this.#inspection = new OwnType(INSPECTION_CONFIG_TYPE_URL, ownName, inspectionVersion);
  }

  /** Resources that Envoy has acknowledged, by type URL. */
  acknowledgedCounts(): ReadonlyMap<string, number> {
    return new Map([...this.#types].map(([typeUrl, type]) => [typeUrl, type.resourceCount]));
  }

  upstreamConnected(): Effects {
    this.#upstreamConnected = true;
    this.#dropStaleSubscriptions();
    return this.#effects();
  }

  upstreamDisconnected(): Effects {
    this.#upstreamConnected = false;
    this.#workload.detach();
    this.#inspection.detach();
    for (const type of this.#types.values()) type.detachUpstream();
    return this.#effects();
  }

  fromUpstream(response: DeltaResponse): Effects {
    if (response.typeUrl === WORKLOAD_CONFIG_TYPE_URL) this.#takeWorkload(response);
    else if (response.typeUrl === INSPECTION_CONFIG_TYPE_URL) this.#takeInspection(response);
    // A type that nobody asked for has nobody to answer it.
    else if (this.#types.get(response.typeUrl)?.fromUpstream(response) === false) {
      this.#resetUpstream = `too many unanswered responses of ${response.typeUrl}`;
    }
    return this.#effects();
  }

  /** A change of what is inspected was made, after which this version is in force; or it was not, for these reasons. */
  inspectionDone(ticket: number, version: string | undefined, problems: readonly string[]): Effects {
    this.#inspection.use(version);
    const error = problems.length === 0 ? undefined : composeError([`${this.#ownName}: ${problems.join("; ")}`]);
    if (error !== undefined) this.#events.push({ kind: "own_config_rejected", message: error });
    this.#inspection.answer(ticket, error);
    return this.#effects();
  }

  /** What was refused is in force after all. A refusal can't be taken back; a new stream says what there is. */
  inspectionLate(version: string | undefined): Effects {
    this.#inspection.use(version);
    if (this.#upstreamConnected) this.#resetUpstream = "what is to be inspected could be applied after all";
    return this.#effects();
  }

  /** A new stream of Envoy takes the place of any other. */
  envoyConnected(): Effects {
    this.#detachEnvoy();
    this.#envoyConnected = true;
    this.#envoyStreams += 1;
    this.#nonces = 0;
    return this.#effects();
  }

  envoyDisconnected(): Effects {
    this.#detachEnvoy();
    return this.#effects();
  }

  fromEnvoy(request: DeltaRequest): Effects {
    const { typeUrl } = request;
    const type = this.#typeFor(typeUrl);
    if (type === undefined) {
      this.#resetEnvoy = `type ${typeUrl} is not relayed`;
      return this.#effects();
    }
    const answer = type.fromEnvoy(request);
    if (answer.kind === "ack") this.#events.push({ kind: "envoy_accepted", typeUrl });
    if (answer.kind === "stale") this.#events.push({ kind: "stale_nonce", typeUrl });
    if (answer.kind === "nack") this.#events.push({ kind: "envoy_rejected", typeUrl, message: answer.message });
    return this.#effects();
  }

  /** To be called once a stream of Envoy is old enough to have repeated every subscription that it still has. */
  envoySettled(): Effects {
    this.#envoySettled = this.#envoyConnected;
    this.#dropStaleSubscriptions();
    return this.#effects();
  }

  /** While the control plane is away, nobody waits for an answer, and what is dropped could not be had again. */
  #dropStaleSubscriptions(): void {
    if (!this.#envoySettled || !this.#upstreamConnected) return;
    for (const type of this.#types.values()) type.dropStaleSubscriptions();
  }

  #detachEnvoy(): void {
    this.#envoyConnected = false;
    this.#envoySettled = false;
    for (const type of this.#types.values()) type.detachEnvoy();
  }

  #typeFor(typeUrl: string): TypeRelay | undefined {
    const known = this.#types.get(typeUrl);
    if (known !== undefined) return known;
    const own = typeUrl === WORKLOAD_CONFIG_TYPE_URL || typeUrl === INSPECTION_CONFIG_TYPE_URL;
    if (typeUrl === "" || own || this.#types.size >= MAX_TYPES) return undefined;
    const created = new TypeRelay(typeUrl);
    this.#types.set(typeUrl, created);
    return created;
  }

  #takeWorkload(response: DeltaResponse): void {
    const change = this.#workload.receive(response);
    let error: string | undefined;
    // A removal changes nothing: a workload that left the mesh keeps draining by the rules that it had.
    if (change.kind === "set") {
      const decoded = decodeWorkloadConfig(change.resource.encoded);
      if (decoded.ok) {
        this.#workload.use(change.resource.version);
        this.#workloadConfig = decoded.value;
      } else {
        error = decoded.message;
        this.#events.push({ kind: "own_config_rejected", message: error });
      }
    }
    this.#workload.answer(change.ticket, error);
  }

  #takeInspection(response: DeltaResponse): void {
    const change = this.#inspection.receive(response);
    if (change.kind === "nothing") this.#inspection.answer(change.ticket, undefined);
    else this.#inspectionChange = change;
  }

  #effects(): Effects {
    const toEnvoy = this.#collectForEnvoy();
    if (this.#upstreamConnected) {
      this.#toUpstream.push(...this.#workload.take(), ...this.#inspection.take());
      for (const type of this.#types.values()) {
        for (let next = type.nextForUpstream(); next !== undefined; next = type.nextForUpstream()) {
          this.#toUpstream.push(next);
        }
      }
    }
    const effects: Effects = {
      toUpstream: this.#toUpstream,
      toEnvoy,
      events: this.#events,
      workloadConfig: this.#workloadConfig,
      inspection: this.#inspectionChange,
      resetUpstream: this.#resetUpstream,
      resetEnvoy: this.#resetEnvoy,
    };
    this.#toUpstream = [];
    this.#events = [];
    this.#workloadConfig = undefined;
    this.#inspectionChange = undefined;
    this.#resetUpstream = undefined;
    this.#resetEnvoy = undefined;
    return effects;
  }

  #collectForEnvoy(): DeltaResponse[] {
    if (!this.#envoyConnected) return [];
    const responses: DeltaResponse[] = [];
    for (const [typeUrl, type] of this.#types) {
      const response = type.nextForEnvoy(`${this.#envoyStreams}.${this.#nonces}`, this.#upstreamConnected);
      if (response === undefined) continue;
      this.#nonces += 1;
      responses.push(response);
      if (typeUrl === CLUSTER_TYPE_URL) {
        this.#types.get(ENDPOINT_TYPE_URL)?.forceResend(response.resources.map(({ name }) => name));
      }
    }
    return responses;
  }
}
