/** Metrics of one name: samples by their labels, `{a="b"}` or nothing. */
export type Family = readonly [
  name: string,
  type: "gauge" | "counter",
  help: string,
  samples: readonly (readonly [labels: string, value: number])[],
];
