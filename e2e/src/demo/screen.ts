import process from "node:process";
import { styleText } from "node:util";

const paint = (style: "green" | "red" | "dim" | "bold", text: string): string =>
  styleText(style, text, { stream: process.stdout });

/** What the person sees: progress while things start, then one line a finding. */
export class Screen {
  #failed = 0;

  get failed(): number {
    return this.#failed;
  }

  say(text: string): void {
    console.log(text);
  }

  progress(text: string): void {
    console.log(paint("dim", `  ${text} …`));
  }

  heading(text: string): void {
    console.log(`\n${paint("bold", text)}`);
  }

  /** A finding that is right or wrong; a wrong one makes the demo fail. */
  check(ok: boolean, name: string, text: string): void {
    if (!ok) this.#failed++;
    console.log(`${ok ? paint("green", "✓") : paint("red", "✗")} ${name.padEnd(14)} ${text}`);
  }
}

export const thousands = (count: number): string => count.toLocaleString("en-US");
export const milliseconds = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
