/** Fields that a control plane reads as numbers, and how a person writes those. */
const writers: Readonly<Record<string, (value: number) => string>> = {
  // Milliseconds.
  every: durationText,
  lifetime: durationText,
  // Millionths.
  sample: (millionths) => `${millionths / 10_000}%`,
  maxBytes: sizeText,
  maxRequestBytes: sizeText,
};

/** A spec as its manifest has it, whether it was recorded so or as the control plane had read it. */
export function asWritten(spec: unknown): unknown {
  if (Array.isArray(spec)) return spec.map(asWritten);
  if (typeof spec !== "object" || spec === null) return spec;
  return Object.fromEntries(
    Object.entries(spec).map(([name, value]: [string, unknown]) => {
      const write = Object.hasOwn(writers, name) ? writers[name] : undefined;
      return [name, write !== undefined && typeof value === "number" ? write(value) : asWritten(value)];
    }),
  );
}

function durationText(ms: number): string {
  const units = [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
  ] as const;
  const unit = units.find(([, size]) => ms > 0 && ms % size === 0);
  return unit === undefined ? `${ms}ms` : `${ms / unit[1]}${unit[0]}`;
}

function sizeText(bytes: number): string {
  if (bytes > 0 && bytes % 1_048_576 === 0) return `${bytes / 1_048_576}Mi`;
  return bytes > 0 && bytes % 1024 === 0 ? `${bytes / 1024}Ki` : String(bytes);
}
