import type { AddHelpTextContext } from "commander";
import type { Session } from "../session.ts";

/** Help text to follow the options; a line that is a title is shown as one. */
export function examples(session: Session, text: string): (context: AddHelpTextContext) => string {
  return ({ command }) => {
    const paint = session.paint(command);
    return `\n${text.trim().replace(/^[A-Z][^\n]*:$/gm, (title) => paint("heading", title))}`;
  };
}
