import type { Command } from "commander";
import { chooseEndpoint, type Endpoint, type EndpointOptions } from "./admin/endpoint.ts";
import { CliError, type ExitCode } from "./errors.ts";
import type { Host } from "./host.ts";
import { choosePaint, type Paint } from "./screen/paint.ts";

export const outputFormats = ["table", "json", "yaml"] as const;
export type OutputFormat = (typeof outputFormats)[number];

export function isOutputFormat(value: unknown): value is OutputFormat {
  return outputFormats.some((format) => format === value);
}

/** The options that every command takes, as commander parsed them. */
interface GlobalOptions extends EndpointOptions {
  /** Of most commands an OutputFormat: the program sees to it. */
  readonly output?: string;
  readonly color: boolean;
}

/** One run of the command: what its subcommands need, and how it will end. */
export class Session {
  readonly host: Host;
  exitCode: ExitCode = 0;

  constructor(host: Host) {
    this.host = host;
  }

  print(text: string): void {
    this.host.stdout.write(text);
  }

  /** Words for the person beside the answer, which stays clean for a pipe. */
  say(text: string): void {
    this.host.stderr.write(text);
  }

  endpoint(command: Command): Endpoint {
    return chooseEndpoint(command.optsWithGlobals<GlobalOptions>(), this.host.env);
  }

  /** Whether the command line itself says which control plane: not answering is then a failure, whatever is asked. */
  namesEndpoint(command: Command): boolean {
    const { socket, server } = command.optsWithGlobals<GlobalOptions>();
    return socket !== undefined || server !== undefined;
  }

  format(command: Command): OutputFormat {
    const { output } = command.optsWithGlobals<GlobalOptions>();
    return isOutputFormat(output) ? output : "table";
  }

  /** What -o says of a command that writes a file; undefined: nothing. */
  outputFile(command: Command): string | undefined {
    return command.optsWithGlobals<GlobalOptions>().output;
  }

  /** @throws CliError usage: the answer has no table. */
  documentFormat(command: Command): "json" | "yaml" {
    const { output = "yaml" } = command.optsWithGlobals<GlobalOptions>();
    if (output !== "json" && output !== "yaml")
      throw new CliError("usage", `${command.name()} has no table: use -o yaml or -o json`);
    return output;
  }

  paint(command: Command): Paint {
    return choosePaint(this.host.stdout, this.host.env, command.optsWithGlobals<GlobalOptions>().color);
  }

  /** How a table is drawn on standard output. */
  tableOptions(command: Command): { readonly columns: number | undefined; readonly paint: Paint } {
    return { columns: this.host.stdout.columns, paint: this.paint(command) };
  }
}
