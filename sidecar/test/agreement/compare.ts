// What the agent read against what the predictor answered.
import { create } from "@bufbuild/protobuf";
import { InferTensorContentsSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { bytesOfContents, DATATYPES, type Datatype, typedElements } from "@hedgerow/proto/tensor";
import type { InferRead, ReadResult, TensorView } from "../../src/inspect/decode/read-result.ts";
import type { Answer, ServedModel } from "./predictor.ts";

export type Comparison =
  | { readonly kind: "both read" | "both refused" | "only the predictor refused" }
  /** The agent is the stricter; `why` without what differs from request to request. */
  | { readonly kind: "only the agent refused"; readonly why: string }
  | { readonly kind: "disagreement"; readonly why: string };

export function compare(agent: ReadResult, answer: Answer, models: readonly ServedModel[]): Comparison {
  const disagreement = (why: string): Comparison => ({ kind: "disagreement", why });
  if (answer.kind === "refused") {
    if (agent.kind !== "infer") return { kind: "both refused" };
    // The agent knows no models. What fits one, the predictor has to take, or the agent has missed something.
    const aboutOutputs = answer.message.startsWith("output ");
    // Node's own bound on a URL, before anything is read.
    const tooLongAnUrl = answer.message.startsWith("HTTP 431");
    return fits(agent, models) && !aboutOutputs && !tooLongAnUrl
      ? disagreement(`the predictor refused what fits: ${answer.message}`)
      : { kind: "only the predictor refused" };
  }
  if (agent.kind === "refused")
    return { kind: "only the agent refused", why: agent.message.replace(/\d+|".*"/gs, "…") };
  if (agent.kind === "other") return disagreement("the agent saw no inference");
  const { response } = answer;
  if (agent.model !== response.modelName) return disagreement("another model");
  if (agent.id !== response.id) return disagreement("another id");
  const version = agent.version ?? newest(models, agent.model);
  if (version !== response.modelVersion) return disagreement("another version");
  for (const [index, output] of response.outputs.entries()) {
    const input = agent.inputs.find(({ name }) => `out_${name}` === output.name);
    if (input === undefined) return disagreement(`no input for ${output.name}`);
    if (input.datatype !== output.datatype) return disagreement(`another datatype of ${input.name}`);
    if (input.shape.join() !== output.shape.join()) return disagreement(`another shape of ${input.name}`);
    const datatype = output.datatype as Datatype;
    const count = input.shape.reduce((product, size) => product * size, 1);
    const raw = response.rawOutputContents[index];
    const contents = output.contents && bytesOfContents(output.contents, datatype, count);
    const bytes = raw ?? (contents?.ok ? contents.bytes : undefined);
    if (bytes === undefined || !isSame(bytes, bytesOf(input, datatype, count), datatype, input.data.kind))
      return disagreement(`other values of ${input.name}`);
  }
  return { kind: "both read" };
}

function bytesOf({ data }: TensorView, datatype: Datatype, count: number): Uint8Array {
  if (data.kind === "bytes") return data.bytes;
  const contents = create(InferTensorContentsSchema, { [DATATYPES[datatype].contents ?? ""]: data.values });
  const bytes = bytesOfContents(contents, datatype, count);
  if (!bytes.ok) throw new Error(bytes.problem);
  return bytes.bytes;
}

/** To the bit; only which NaN it is gets lost on the way through a JavaScript number. */
function isSame(one: Uint8Array, other: Uint8Array, datatype: Datatype, kind: TensorView["data"]["kind"]): boolean {
  if (kind === "bytes") return Buffer.from(one).equals(other);
  const [left, right] = [one, other].map((bytes) => Array.from<number | bigint>(typedElements(datatype, bytes)));
  // JavaScript writes a negative zero into JSON as 0.
  const equal = (value: number | bigint, index: number) => value === right?.[index] || Object.is(value, right?.[index]);
  return left?.length === right?.length && left?.every(equal) === true;
}

const newest = (models: readonly ServedModel[], name: string) =>
  models
    .filter((model) => model.name === name)
    .map(({ version }) => version)
    .toSorted()
    .at(-1);

function fits(agent: InferRead, models: readonly ServedModel[]): boolean {
  const version = agent.version ?? newest(models, agent.model);
  const model = models.find((candidate) => candidate.name === agent.model && candidate.version === version);
  return (
    model !== undefined &&
    agent.inputs.length === model.inputs.length &&
    model.inputs.every(({ name, datatype, shape }) => {
      const view = agent.inputs.find((input) => input.name === name);
      return (
        view?.datatype === datatype &&
        view.shape.length === shape.length &&
        view.shape.every((size, index) => size >= 1 && (typeof shape[index] === "string" || shape[index] === size))
      );
    })
  );
}
