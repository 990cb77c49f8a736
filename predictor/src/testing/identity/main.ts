// A predictor as a process of its own, of models that answer what they were asked, so that another process can see what it
// read. Prints one line of JSON once it serves, and ends with its standard input.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DATATYPES, type Datatype } from "@hedgerow/proto/tensor";
import { identityFile, type OnnxTensor } from "../onnx-file.ts";
import { runningPredictor } from "../running-predictor.ts";

const MODELS: readonly { readonly name: string; readonly version: string; readonly inputs: readonly OnnxTensor[] }[] = [
  ...(Object.keys(DATATYPES) as Datatype[]).map((datatype) => ({
    name: datatype.toLowerCase(),
    version: "1",
    inputs: [{ name: "x", datatype, shape: ["n"] }],
  })),
  {
    name: "pair",
    version: "1",
    inputs: [
      { name: "a", datatype: "FP32", shape: ["n", 2] },
      { name: "b", datatype: "BOOL", shape: [1] },
    ],
  },
  {
    name: "pair",
    version: "2",
    inputs: [
      { name: "a", datatype: "FP32", shape: ["n", 2] },
      { name: "c", datatype: "INT64", shape: ["m"] },
    ],
  },
  { name: "image", version: "3", inputs: [{ name: "image", datatype: "FP32", shape: ["n", 3, 4, 4] }] },
];

const modelsDir = await mkdtemp(join(tmpdir(), "hedgerow-identity-"));
for (const { name, version, inputs } of MODELS) {
  await mkdir(join(modelsDir, name, version), { recursive: true });
  await writeFile(join(modelsDir, name, version, "model.onnx"), identityFile(inputs));
}
const predictor = await runningPredictor({ modelsDir, workers: 1, maxRequestBytes: Number(process.argv[2]) });
console.log(JSON.stringify({ address: predictor.address, models: MODELS }));
for await (const _ of process.stdin);
await predictor[Symbol.asyncDispose]();
await rm(modelsDir, { recursive: true });
