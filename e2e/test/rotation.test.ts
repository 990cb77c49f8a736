import { connect } from "node:tls";
import { describe, expect, test } from "vitest";
import { Load } from "../src/mesh/load.ts";
import { predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

// `npm run test:long` asks for ten minutes of 60 s SVIDs; `npm test` for the shortest lifetime that a mesh may have.
const minutes = Number(process.env["HEDGEROW_ROTATION_MINUTES"] ?? "0");
const lifetimeSeconds = minutes > 0 ? 60 : 30;
const rotations = minutes > 0 ? minutes : 1;

const mesh = withMesh({
  svidLifetime: `${lifetimeSeconds}s`,
  predictors: new Map([["digits-v1-a", "1"]]),
  weights: [1, 0],
  callers: ["reader", "batch-job"],
});

/** Serial number of the certificate that a sidecar presents now. TLS 1.3 shows it before it asks for ours. */
function presentedSerial(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

describe("SVIDs", () => {
  test(
    "are renewed under load, and no request fails",
    async () => {
      const { reader, predictor, digits } = mesh();
      const load = new Load(predictorClient(reader.localPort), digits);
      const serials = new Set<string>();
      const startedAt = performance.now();
      const enough = (): boolean => serials.size > rotations && performance.now() - startedAt >= minutes * 60_000;
      await until(
        `${rotations} rotations`,
        Math.max(minutes * 60_000, 0) + 3 * lifetimeSeconds * 1_000,
        async () => {
          serials.add(await presentedSerial(predictor.port));
          return enough();
        },
        { everyMs: 1_000 },
      );
      await load.stop();
      console.log(`${load.answered} answers, ${serials.size} certificates, ${load.failures.length} failures`);
      expect(load.failures).toEqual([]);
      expect(load.answered).toBeGreaterThan(100);
    },
    Math.max(minutes, 2) * 60_000 + 180_000,
  );
});
