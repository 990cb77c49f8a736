// An agent's part in outcomes, as a process that can be killed: RUN-DIRECTORY AUDIT-DIRECTORY. Says `ready` once it follows.
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { AuditLedgerSchema, FailMode } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { pino } from "pino";
import { OutcomeTail } from "../src/ledger/outcomes/tail.ts";
import { openRecorder } from "../src/ledger/recorder.ts";

const [run = "", audit = ""] = process.argv.slice(2);
const logger = pino({ level: "silent" });
const config = create(AuditLedgerSchema, { name: "n/main", failMode: FailMode.CLOSED });
const opened = await openRecorder(config, {
  directory: audit,
  secretsDirectory: undefined,
  identity: { nodeId: "n/web", spiffeId: "spiffe://bank.example/ns/n/sa/web" },
  region: "",
  meshAddress: "127.0.0.1:9",
  now: Date.now,
  random: Math.random,
  logger,
});
if (!opened.ok) throw new Error(opened.problems.join("; "));
const { value: recorder } = opened;
const tail = new OutcomeTail({
  path: join(run, "envoy-outcomes.log"),
  positionPath: join(audit, "position.json"),
  reopen: () => Promise.reject(new Error("there is no Envoy")),
  ledgers: { find: () => recorder.outcomes, all: () => [recorder.outcomes] },
  now: Date.now,
  logger,
});
tail.start();
process.on("SIGTERM", () => {
  void tail.stop().then(async () => await recorder.close());
});
process.stdout.write("ready\n");
