// Kubernetes' resource.Quantity, as far as the proxy's annotations need it.

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Cores or bytes that a text such as 100m, 0.5 or 128Mi stands for; undefined when it is none that makes sense for a container. */
export function parseQuantity(text: string): number | undefined {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,9})?)(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(text);
  const size = suffixes[match?.[2] ?? ""];
  return match === null || size === undefined ? undefined : Number(match[1]) * size;
}
