// What exists once there is a certificate authority: the ports that proxies and agents call.
import { AdminListener } from "./admin/server.ts";
import type { AdminDeps } from "./admin/service.ts";
import { AdsServer, type AdsServerOptions, adsServerOptions } from "./ads/server.ts";
import { certificateIssued } from "./audit/acts.ts";
import { OwnLedger } from "./audit/own-ledger.ts";
import { Authority, type IssuedCertificate } from "./ca/authority.ts";
import { peerOfCall } from "./ca/call-peer.ts";
import type { KeyMaterial } from "./ca/key-material.ts";
import { controlPlaneId, replicaNodeId } from "./ca/names.ts";
import { ServerIdentity } from "./ca/server-identity.ts";
import { certificateService, enrollmentService, type IssuanceDeps } from "./ca/service.ts";
import type { Config } from "./config.ts";
import { formatAddress, GrpcListener } from "./grpc-listener.ts";
import type { Logger } from "./logger.ts";
import { Publisher, type PublisherDeps } from "./publisher.ts";
import type { Readiness } from "./readiness/service.ts";
import type { NodeId } from "./snapshot/snapshot.ts";
import type { ProxyInit } from "./status/describe-proxies.ts";
import { countedProxies } from "./status/replicas.ts";
import { StatusWatch } from "./status-watch.ts";
import { countersigner, ownWitness } from "./witness/own-witness.ts";
import { type WitnessDeps, witnessService } from "./witness/service.ts";
import { WitnessStore } from "./witness/store.ts";
import type { Attachment, World } from "./world/world.ts";

export interface ServingDeps {
  readonly config: Config;
  readonly material: KeyMaterial;
  readonly readiness: Readiness;
  readonly issuance: Omit<IssuanceDeps, "authority" | "logger" | "now" | "issued">;
  readonly world: Pick<World, "attach" | "elsewhere" | "replicaName">;
  /** As ListProxies has the proxies of this replica. */
  readonly proxies: (ads: AdsServer, publisher: Publisher) => readonly ProxyInit[];
  readonly counted: AdsServerOptions["counted"];
  readonly witnessed: WitnessDeps["counted"];
  readonly publishing: Omit<PublisherDeps, "ads" | "trustDomain" | "logger">;
  readonly admin: AdminDeps;
  readonly now: () => number;
  readonly logger: Logger;
}

// A stranger's largest request holds a token and a PKCS#10 request, 4 KiB each.
const ENROLL_OPTIONS = {
  "grpc.max_receive_message_length": 16 * 1024,
  "grpc.max_concurrent_streams": 16,
  "grpc.max_connection_idle_ms": 30_000,
};

/** ADS, enrolment, renewal, reports and, where configured, the admin service over mTLS. */
export class Serving implements AsyncDisposable {
  readonly authority: Authority;
  readonly ads: AdsServer;
  readonly publisher: Publisher;
  readonly status: StatusWatch;
  readonly attachment: Attachment;
  readonly audit: OwnLedger;
  readonly witness: WitnessStore;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    parts: Pick<Serving, "authority" | "ads" | "publisher" | "status" | "attachment" | "audit" | "witness"> & {
      readonly owned: AsyncDisposableStack;
    },
  ) {
    this.authority = parts.authority;
    this.ads = parts.ads;
    this.publisher = parts.publisher;
    this.status = parts.status;
    this.attachment = parts.attachment;
    this.audit = parts.audit;
    this.witness = parts.witness;
    this.#owned = parts.owned;
  }

  /** Listens only after the first snapshot: a proxy that comes back must not find an empty mesh. */
  static async start(deps: ServingDeps): Promise<Serving> {
    const { config, material, now, logger, readiness } = deps;
    const { trustDomain } = material;
    const { elsewhere } = deps.world;
    // Disposed of in reverse: listeners first, so that nobody comes back to those whose calls are ended.
    await using owned = new AsyncDisposableStack();
    const authority = new Authority(material, now);
    const { witness, audit } = await openAudit(deps, authority, owned);
    const recordServing = (certificate: IssuedCertificate) =>
      void audit.recordIfPossible(certificateIssued("serving", certificate));
    const identity = owned.use(new ServerIdentity(authority, undefined, recordServing));
    const ads = new AdsServer({
      identify: (call) => {
        const peer = peerOfCall(trustDomain, call, now());
        return peer?.kind === "workload" ? peer : undefined;
      },
      now,
      counted: deps.counted,
      logger: logger.child({ component: "ads" }),
    });
    const publisher = owned.use(
      new Publisher({ ...deps.publishing, ads, trustDomain, logger: logger.child({ component: "publisher" }) }),
    );
    const status = owned.use(
      new StatusWatch(() => ({
        // Not the newest: of what is not translated yet no proxy can be said to run it.
        view: publisher.view,
        findings: publisher.findings,
        snapshot: publisher.snapshot,
        ...countedProxies({
          states: ads.states(),
          nodes: publisher.snapshot.keys(),
          cluster: publisher.view.cluster,
          reports: elsewhere.reports(),
          lost: elsewhere.lost(),
        }),
        reports: elsewhere.reports(),
        nowMs: now(),
      })),
    );
    ads.onChange(() => status.schedule());
    publisher.publish();
    status.read();

    const recordFor = (use: "svid" | "checkpoint") => (certificate: IssuedCertificate, nodeId: NodeId) =>
      audit.recordIfPossible(certificateIssued(use, certificate, nodeId));
    const issuance: IssuanceDeps = {
      ...deps.issuance,
      authority,
      issued: recordFor("svid"),
      now,
      logger: logger.child({ component: "ca" }),
    };
    const attachment = owned.use(
      deps.world.attach({
        material,
        authority,
        identity,
        ads,
        publisher,
        status,
        audit,
        witness,
        proxies: () => deps.proxies(ads, publisher),
      }),
    );
    const meshServices = [
      ads.service,
      certificateService(issuance),
      readiness.service(trustDomain, now),
      witnessService({
        authority,
        store: witness,
        certified: recordFor("checkpoint"),
        now,
        logger: logger.child({ component: "witness" }),
        counted: deps.witnessed,
      }),
      ...attachment.meshServices,
    ];
    const mesh = owned.use(
      await GrpcListener.listen(
        config.meshListen,
        identity.grpcCredentials({ clientCertificate: true }),
        meshServices,
        adsServerOptions,
      ),
    );
    const enroll = owned.use(
      await GrpcListener.listen(
        config.enrollListen,
        identity.grpcCredentials({ clientCertificate: false }),
        [enrollmentService(issuance)],
        ENROLL_OPTIONS,
      ),
    );
    const listening = (portName: string, address: string) => logger.info({ address, port_name: portName }, "Listening");
    listening("mesh", mesh.address);
    listening("enroll", enroll.address);
    if (config.adminListen !== undefined) {
      const admin = owned.use(
        await AdminListener.listen(deps.admin, identity, { trustDomain, now, listen: config.adminListen }),
      );
      listening("admin", formatAddress(admin.address));
    }
    await attachment.start();
    return new Serving({ authority, ads, publisher, status, attachment, audit, witness, owned: owned.move() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The streams of proxies never end by themselves; what is short has the listener's time to finish.
    const closing = this.#owned.disposeAsync();
    this.ads.close();
    await Promise.all([closing, this.attachment[Symbol.asyncDispose]()]);
  }
}

/** The control plane witnesses its own ledger, too: that shows something to whoever has a copy of the one and not of the other. */
async function openAudit(
  { config, world, now, logger }: ServingDeps,
  authority: Authority,
  owned: AsyncDisposableStack,
): Promise<{ readonly witness: WitnessStore; readonly audit: OwnLedger }> {
  const witness = owned.use(
    await WitnessStore.open({
      stateDir: config.stateDir,
      countersign: countersigner(authority),
      now,
      logger: logger.child({ component: "witness" }),
    }),
  );
  const node = replicaNodeId(world.replicaName) ?? "hedgerow-system/control-plane";
  const audit = owned.use(
    await OwnLedger.open({
      directory: config.auditDir,
      node,
      spiffe: controlPlaneId(authority.trustDomain),
      witness: ownWitness(authority, witness, node),
      now,
      logger: logger.child({ component: "audit" }),
    }),
  );
  return { witness, audit };
}
