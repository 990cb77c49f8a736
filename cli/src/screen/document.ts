import { stringify } from "yaml";

/**
 * A value for a machine, ending in a newline. Values are plain data: no bigint, no Date, no undefined. YAML is such that
 * readers of YAML 1.1, to whom yes is true, read the same.
 */
export function renderDocument(value: unknown, format: "json" | "yaml"): string {
  if (format === "json") return `${escapeControls(JSON.stringify(value, null, 2))}\n`;
  const options = { lineWidth: 0, compat: "yaml-1.1" } as const;
  const text = stringify(value, options);
  // Only in double quotes YAML has escapes.
  return escapeControls(text) === text
    ? text
    : escapeControls(
        stringify(value, { ...options, defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "QUOTE_DOUBLE" }),
      );
}

/** A value on one line, for readers of JSON lines. */
export function renderLine(value: unknown): string {
  return `${escapeControls(JSON.stringify(value))}\n`;
}

/**
 * JSON leaves characters as they are that drive terminals (C1, DELETE) or turn the order of text: a machine reads the same of their
 * escapes, and a person who looks is not fooled.
 */
function escapeControls(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
