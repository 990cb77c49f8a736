// What `npm run demo -- --keep` leaves a person with: files to send, and lines to paste.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Digit, PIXELS } from "../mesh/digits.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { Screen } from "./screen.ts";

/** A request that curl can send: the Connect protocol's JSON. */
function requestJson(digit: Digit): string {
  const pixels = Array.from(new Float32Array(digit.bytes.buffer));
  const inputs = [{ name: "image", datatype: "FP32", shape: [1, PIXELS], contents: { fp32Contents: pixels } }];
  return JSON.stringify({ modelName: "digits", inputs, outputs: [{ name: "label" }] });
}

function metadataScript(port: number): string {
  return `import json, urllib.request

url = "http://127.0.0.1:${port}/inference.GRPCInferenceService/ModelMetadata"
request = urllib.request.Request(url, b'{"name": "digits"}', {"content-type": "application/json"})
print(json.dumps(json.load(urllib.request.urlopen(request)), indent=2))
`;
}

/** Says what can be tried on a mesh that stays up. */
export function sayWhatToTry(screen: Screen, mesh: Mesh, digit: Digit): void {
  const [reader, stranger] = mesh.callers;
  if (reader === undefined || stranger === undefined) return;
  const file = join(mesh.directory, "digit.json");
  writeFileSync(file, requestJson(digit));
  const call = (port: number): string =>
    `curl -s -H 'content-type: application/json' -d @${file} http://127.0.0.1:${port}/inference.GRPCInferenceService/ModelInfer`;
  const python = join(mesh.directory, "metadata.py");
  writeFileSync(python, metadataScript(reader.localPort));
  const ledgers = `--ledger ${mesh.directory}/run --ledger ${mesh.directory}/state/audit --socket ${mesh.directory}/state/admin.sock`;
  screen.heading("Try");
  screen.say(`a digit (${digit.label}), by curl, as ${reader.name}:
  ${call(reader.localPort)}
the same as ${stranger.name}, whom nothing allows:
  ${call(stranger.localPort)}
the model's metadata, by Python:
  python3 ${python}
what runs:
  npx hedgerow status --socket ${mesh.directory}/state/admin.sock
  npx hedgerow proxies --socket ${mesh.directory}/state/admin.sock
who called, who was refused and why; one of them explained (any id of the list):
  npx hedgerow audit search ${ledgers} --limit 10
  npx hedgerow explain ID ${ledgers}
the same for people who read neither YAML nor terminals:
  npx hedgerow evidence ${ledgers} --from 1h -o report.html
a policy: let ${stranger.name} in, and call again as ${stranger.name}
  sed -i 's,apps/${reader.name},apps/${stranger.name},' ${mesh.directory}/manifests/access.yaml`);
  screen.say("\nCtrl-C stops it.");
}
