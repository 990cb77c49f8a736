import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { WorkloadConfig } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { Config } from "./config.ts";
import { EnvoyAdmin } from "./envoy/admin.ts";
import { buildBootstrap } from "./envoy/bootstrap.ts";
import { LogFiles } from "./envoy/log-files.ts";
import { ACCESS_LOG, ENVOY_LOG, EnvoyProcess } from "./envoy/process.ts";
import { CaClient } from "./identity/ca-client.ts";
import { Identity, nodeIdOf } from "./identity/identity.ts";
import { meshCredentials } from "./identity/mesh-credentials.ts";
import { InspectService } from "./inspect/inspect-service.ts";
import type { Logger } from "./logger.ts";
import { agentPage } from "./metrics/agent-page.ts";
import { MetricsServer } from "./metrics/server.ts";
import { Prober } from "./probes/prober.ts";
import { ReadinessMonitor } from "./ready/monitor.ts";
import { Reporter } from "./ready/report.ts";
import { Relay } from "./relay/relay.ts";
import { drainMs } from "./relay/workload-config.ts";
import { prepareRunDirectory } from "./run-directory.ts";
import { SecretService } from "./sds/secret-service.ts";

const AGENT_VERSION = "0.1.0";

/**
 * Runs the agent until the signal aborts, then drains and stops Envoy. What the agent waits for (an SVID, the control
 * plane, Envoy) it waits for as long as it takes; it throws only where it can not begin.
 * Errors: token_invalid, run_directory_unusable, and those of listening.
 */
export async function runAgent(config: Config, logger: Logger, signal: AbortSignal): Promise<void> {
  // Known before the control plane says it, so that Envoy and its relay need not wait.
  const nodeId = await nodeIdOf(config.enrolment);
  const sockets = await prepareRunDirectory(config.runDirectory);
  const { now, random } = { now: Date.now, random: Math.random };
  const part = (name: string) => logger.child({ part: name, node_id: nodeId });

  // What runs is ended in the opposite order, whichever way this function ends.
  await using running = new AsyncDisposableStack();
  const admin = new EnvoyAdmin(sockets.admin);
  const inspect = new InspectService(config, {
    nodeId,
    socketPath: sockets.inspect,
    now,
    random,
    reopenLogs: async () => await admin.reopenLogs(),
    logger: part("inspect"),
  });
  // First of all, and last to end: an Envoy that the agent before this one started may be serving, and ask.
  running.defer(async () => await inspect.stop());
  await inspect.start();
  logger.info({ port_name: "inspect", address: `unix:${sockets.inspect}` }, "Listening");

  const envoy = new EnvoyProcess({
    binary: config.envoyBinary,
    concurrency: config.envoyConcurrency,
    bootstrap: buildBootstrap({
      nodeId,
      agentSocket: sockets.agent,
      adminSocket: sockets.admin,
      inspectSocket: sockets.inspect,
    }),
    runDirectory: config.runDirectory,
    log: config.envoyLog,
    admin,
    onEnded: () => inspect.envoyEnded(),
    random,
    logger: part("envoy"),
  });
  const identity = new Identity({
    ca: new CaClient({ enrollAddress: config.enrollAddress, meshAddress: config.meshAddress, now }),
    enrolment: config.enrolment,
    nodeId,
    now,
    random,
    logger: part("identity"),
  });
  const secrets = new SecretService(part("sds"));
  const reporter = new Reporter({
    address: config.meshAddress,
    agentVersion: AGENT_VERSION,
    random,
    logger: part("report"),
  });
  const monitor = new ReadinessMonitor({
    admin,
    svidValid: () => identity.valid,
    onChange: (readiness) => reporter.report(readiness),
    logger: part("ready"),
  });
  let workloadConfig: WorkloadConfig | undefined;
  const relay: Relay = new Relay({
    address: config.meshAddress,
    nodeId,
    inspectionVersion: inspect.version,
    random,
    logger: part("relay"),
    listener: {
      workloadConfig: (next) => {
        workloadConfig = next;
        monitor.useConfig(next);
      },
      inspection: (change) => {
        void inspect.change(change).then((problems) => relay.inspectionDone(change.ticket, inspect.version, problems));
      },
      event: () => monitor.lookNow(),
      envoyConnected: () => monitor.lookNow(),
      envoyDisconnected: () => envoy.lookNow(),
    },
  });
  inspect.onAppliedLate(() => relay.inspectionLate(inspect.version));
  // Envoy first, so that it presents the new SVID before anyone is told of it.
  identity.onSvid((svid) => {
    secrets.update(svid);
    inspect.useCredentials(svid);
    const credentials = meshCredentials(svid);
    relay.useCredentials(credentials);
    reporter.useCredentials(credentials);
    monitor.lookNow();
  });
  const metrics = new MetricsServer({
    listen: config.metricsListen,
    agentPage: () =>
      agentPage({
        svidSecondsLeft: identity.current && (identity.current.notAfterMs - now()) / 1000,
        rotations: identity.rotations,
        identityFailures: identity.failures,
        relayConnected: relay.upstreamAnswering,
        envoyConnected: relay.envoyConnected,
        rejections: relay.rejections,
        secretRejections: secrets.rejections,
        envoyRestarts: envoy.restarts,
        ready: monitor.current.ready && !signal.aborted,
        acknowledged: relay.acknowledgedCounts(),
        inspect: inspect.metrics(),
      }),
    envoyPage: async () => await admin.prometheus(),
    appUrl: config.appMetricsUrl,
    readiness: () => (signal.aborted ? { ready: false, reason: "draining" } : monitor.current),
    started: () => monitor.started,
    prober: new Prober({ probes: config.probes, podIp: config.podIp, logger: part("probes") }),
    logger: part("metrics"),
  });
  const logFiles = new LogFiles(
    config.envoyLog === "files" ? [ACCESS_LOG, ENVOY_LOG].map((name) => `${config.runDirectory}/${name}`) : [],
    part("envoy"),
  );

  const server = new Server({ "grpc.max_receive_message_length": 16 * 1024 * 1024 });
  running.defer(() => server.forceShutdown());
  server.addService(...secrets.definition());
  server.addService(...relay.definition());
  server.addService(...inspect.output.definition());
  await listen(server, sockets.agent);
  logger.info({ port_name: "agent", address: `unix:${sockets.agent}` }, "Listening");
  running.defer(() => metrics.stop());
  logger.info({ port_name: "metrics", address: await metrics.start() }, "Listening");
  running.defer(() => logFiles.stop());
  logFiles.start();
  running.defer(() => relay.stop());

  // Certificates are renewed while connections drain, too.
  const drained = new AbortController();
  const renewing = identity.run(drained.signal);
  running.defer(async () => {
    drained.abort();
    await renewing;
  });
  await Promise.all([envoy.run(signal), monitor.run(signal)]);

  const limitMs = drainMs(workloadConfig);
  logger.info({ drain_ms: limitMs }, "Draining");
  // Out of every caller's endpoints first, then out of their connections. Envoy keeps its SVID and relay meanwhile.
  await reporter.stop("draining");
  await envoy.drain(limitMs, config.enrolment.kind === "service_account");
  await envoy.stop();
  logger.info("Stopped");
}

async function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
    if (error) reject(error);
    else resolve(undefined);
  });
  await promise;
}
