import { styleText } from "node:util";
import type { Host, Screen } from "../host.ts";

/** What a piece of text means; colour says it a second time, never alone. */
export type Style = "good" | "middling" | "bad" | "heading" | "quiet";

/** Colours one piece of text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

const formats = { good: "green", middling: "yellow", bad: "red", heading: "bold", quiet: "dim" } as const;

export const plain: Paint = (_style, text) => text;

export const coloured: Paint = (style, text) =>
  text === "" ? "" : styleText(formats[style], text, { validateStream: false });

/** Colour only on a terminal that has it, unless --no-color or NO_COLOR (https://no-color.org) says otherwise. */
export function choosePaint(screen: Screen, env: Host["env"], wanted: boolean): Paint {
  const hasColour = screen.columns !== undefined && env["TERM"] !== "dumb";
  return wanted && hasColour && !env["NO_COLOR"] ? coloured : plain;
}
