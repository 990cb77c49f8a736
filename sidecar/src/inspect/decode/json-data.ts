import { DATATYPES } from "@hedgerow/proto/tensor";
import type { WireDatatype } from "./raw-data.ts";
import type { TensorData } from "./read-result.ts";

type Values = Extract<TensorData, { kind: "values" }>["values"];
type Element = Values[number];

const LARGEST_FP16 = 65_504;
const RANGES_64 = { INT64: [-(2n ** 63n), 2n ** 63n - 1n], UINT64: [0n, 2n ** 64n - 1n] } as const;
const RANGES_32 = { INT32: [-(2 ** 31), 2 ** 31 - 1], UINT32: [0, 2 ** 32 - 1] } as const;

export type JsonDataResult =
  | { readonly ok: true; readonly values: Values }
  | { readonly ok: false; readonly problem: string };

/** REST's `data`: flat, or lists in each other that are the shape itself. Servers differ in what else they take. */
export function readJsonData(
  data: unknown,
  datatype: WireDatatype,
  shape: readonly number[],
  count: number,
): JsonDataResult {
  if (!Array.isArray(data)) return { ok: false, problem: "data that is no list" };
  const isFlat = !data.some(Array.isArray);
  const flat: unknown[] = isFlat ? data : [];
  if (!isFlat && !flatten(data, shape, 0, flat))
    return { ok: false, problem: "data whose lists differ from the shape" };
  if (flat.length !== count) return { ok: false, problem: `${flat.length} values, expected ${count}` };
  const takes = elementReader(datatype);
  if (takes === undefined) return { ok: false, problem: `${datatype} as JSON, but it travels in binary only` };
  const values: Element[] = [];
  for (const [index, value] of flat.entries()) {
    const element = takes(value);
    if (element === undefined) return { ok: false, problem: `element ${index} is no ${datatype}` };
    values.push(element);
  }
  return { ok: true, values };
}

/** False where some list is not as long as its dimension says. */
function flatten(list: readonly unknown[], shape: readonly number[], depth: number, into: unknown[]): boolean {
  if (list.length !== shape[depth]) return false;
  const isLast = depth === shape.length - 1;
  for (const item of list) {
    if (Array.isArray(item) === isLast) return false;
    if (!isLast && !flatten(item as unknown[], shape, depth + 1, into)) return false;
    if (isLast) into.push(item);
  }
  return true;
}

const isIn = (value: number | bigint, [lowest, highest]: readonly [number | bigint, number | bigint]) =>
  value >= lowest && value <= highest;

/** Answers the element, or undefined for what is none; undefined itself for a datatype without a JSON form. */
function elementReader(datatype: WireDatatype): ((value: unknown) => Element | undefined) | undefined {
  switch (datatype) {
    case "BF16":
      return undefined;
    case "BYTES":
      return (value) => (typeof value === "string" && value.isWellFormed() ? encoder.encode(value) : undefined);
    case "BOOL":
      return (value) => (typeof value === "boolean" ? value : undefined);
    case "FP16":
    case "FP32":
    case "FP64": {
      const largest = datatype === "FP16" ? LARGEST_FP16 : datatype === "FP32" ? LARGEST_FP32 : Number.MAX_VALUE;
      return (value) => {
        const number = typeof value === "bigint" ? Number(value) : value;
        return typeof number === "number" && Math.abs(number) <= largest ? number : undefined;
      };
    }
    case "INT64":
    case "UINT64": {
      const range = RANGES_64[datatype];
      // A number that is not exact was an integer of many digits, and then it is a bigint, or came with an exponent.
      return (value) =>
        (typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value))) && isIn(value, range)
          ? value
          : undefined;
    }
    case "INT32":
    case "UINT32":
      return integerReader(RANGES_32[datatype]);
    case "INT8":
    case "INT16":
    case "UINT8":
    case "UINT16":
      return integerReader(DATATYPES[datatype].range);
  }
}

const integerReader = (range: readonly [number, number]) => (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && isIn(value, range) ? value : undefined;

const LARGEST_FP32 = (2 - 2 ** -23) * 2 ** 127;
const encoder = new TextEncoder();
