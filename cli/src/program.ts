import { Command, Option } from "commander";
import { addAudit } from "./commands/audit.ts";
import { addCertificate } from "./commands/certificate.ts";
import { addCheck } from "./commands/check.ts";
import { addEvidence } from "./commands/evidence.ts";
import { examples } from "./commands/examples.ts";
import { addExplain } from "./commands/explain.ts";
import { addInject } from "./commands/inject.ts";
import { addProxies } from "./commands/proxies.ts";
import { addStatus } from "./commands/status.ts";
import { addToken } from "./commands/token.ts";
import { addTranslate } from "./commands/translate.ts";
import { addValidate } from "./commands/validate.ts";
import { addVersion } from "./commands/version.ts";
import { coloured } from "./screen/paint.ts";
import { isOutputFormat, outputFormats, type Session } from "./session.ts";
import { cliVersion } from "./version.ts";

/** Prose is hard to read in longer lines. */
const MAX_HELP_COLUMNS = 100;
const CONNECTION = "The control plane:";
/** Ask no control plane: they work on a person's files, or by kubectl. */
const offlineCommands = new Set(["validate", "translate", "inject", "check"]);
/** Have an option -o of their own. */
const ownOutput = new Set(["evidence"]);

const lesson = `
Examples:
  Check manifests before the mesh sees them:
  $ hedgerow validate manifests/

  See what one sidecar would run:
  $ hedgerow translate --proxy models/digits-1 --type routes -f manifests/

  Is every edit in effect, and if not, why?
  $ hedgerow status

  Why was this request refused?
  $ hedgerow explain 7Q3FK2M9

  Was anything removed from the audit, or altered?
  $ hedgerow audit verify --all

  Let a new workload in:
  $ hedgerow token create models/digits-1 --out digits-1.token

Ends with:
  0  all is well
  1  the answer is bad: problems in manifests, something not in effect, a ledger damaged, no such object
  2  the command line is wrong, or a file it names cannot be read or written
  3  the control plane cannot be reached
  4  refused: not permitted, or a certificate is not trusted

Environment:
  HEDGEROW_ADMIN_SOCKET  path of the admin socket, as --socket
  HEDGEROW_AUDIT         directory of audit ledgers, as --ledger
  HEDGEROW_STATE         the control plane's state directory, which holds admin.sock
  NO_COLOR               no colour, as --no-color`;

/** The whole command line, ready to parse; loads nothing that help does not need. */
export function createProgram(session: Session): Command {
  const { stdout, stderr } = session.host;
  const program = new Command("hedgerow");
  // Not refused while it is parsed: to evidence -o is a file.
  const outputOption = new Option("-o, --output <format>", "for people, or for machines")
    .choices(outputFormats)
    .argParser((text: string) => text);
  program
    .description(
      "Hedgerow, a service mesh for model inference: check manifests, see what the mesh does with them and why.",
    )
    .version(cliVersion(), "-V, --version", "show this command's version")
    .helpOption("-h, --help", "show help, with examples")
    .helpCommand("help [command]", "show the help of a command")
    .addOption(outputOption)
    .option("--no-color", "no colour (default: only on a terminal)")
    .optionsGroup(CONNECTION)
    .option(
      "--socket <path>",
      "its admin socket (default: the first of $HEDGEROW_ADMIN_SOCKET, $HEDGEROW_STATE/admin.sock and /run/hedgerow/admin.sock)",
    )
    .option("--server <host:port>", "its admin port, over mTLS, instead of the socket")
    .option("--cert <file>", "with --server: your certificate, PEM")
    .option("--key <file>", "with --server: its key, PEM")
    .option("--ca <file>", "with --server: the mesh's trust bundle, PEM")
    .hook("preAction", (_program, command) => {
      const { output } = program.opts<{ output?: string }>();
      if (output === undefined || ownOutput.has(command.name()) || isOutputFormat(output)) return;
      program.error(
        `error: option '${outputOption.flags}' argument '${output}' is invalid. Allowed choices are ${outputFormats.join(", ")}.`,
        { code: "commander.invalidArgument" },
      );
    })
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: globalOptionsOf,
      subcommandTerm: (command) => command.name(),
      styleTitle: (text) => coloured("heading", text),
    })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "hedgerow: ").replace("\n(Did", " (did")),
      getOutHelpWidth: () => Math.min(stdout.columns ?? MAX_HELP_COLUMNS, MAX_HELP_COLUMNS),
      getErrHelpWidth: () => Math.min(stderr.columns ?? MAX_HELP_COLUMNS, MAX_HELP_COLUMNS),
      getOutHasColors: () => session.paint(program) === coloured,
      getErrHasColors: () => false,
    })
    .addHelpText("after", examples(session, lesson));

  program.commandsGroup("Manifests:");
  addValidate(program, session);
  addTranslate(program, session);
  addInject(program, session);
  program.commandsGroup("The running mesh:");
  addStatus(program, session);
  addCheck(program, session);
  addProxies(program, session);
  addVersion(program, session);
  program.commandsGroup("The audit:");
  addExplain(program, session);
  addAudit(program, session);
  addEvidence(program, session);
  program.commandsGroup("Identities:");
  addToken(program, session);
  addCertificate(program, session);
  return program;
}

/** The options of the whole program as one command's help shows them. */
function globalOptionsOf(command: Command): Option[] {
  const isOffline = offlineCommands.has(command.name());
  const all: Option[] = [];
  for (let parent = command.parent; parent !== null; parent = parent.parent)
    all.push(...parent.options.filter((option) => !(isOffline && option.helpGroupHeading === CONNECTION)));
  return all.filter(({ long }) => long !== "--version" && !(long === "--output" && ownOutput.has(command.name())));
}
