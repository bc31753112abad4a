import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { addAccessCommands } from "./commands/access.ts";
import { addApprovalsCommand } from "./commands/again.ts";
import { addCallCommand } from "./commands/call.ts";
import { addCheckpointCommands } from "./commands/checkpoints.ts";
import { addChatCommand } from "./commands/chat.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addConversationCommands } from "./commands/conversations.ts";
import { addConsentCommands } from "./commands/consent.ts";
import { addDaemonCommands } from "./commands/daemon.ts";
import { addDraftCommands } from "./commands/draft.ts";
import { addEgressCommand } from "./commands/egress.ts";
import { addEvalCommands } from "./commands/eval.ts";
import { addFailureCommands } from "./commands/failures.ts";
import { addKeyCommands } from "./commands/keys.ts";
import { addLoginCommands } from "./commands/login.ts";
import { addMemberCommands } from "./commands/members.ts";
import { addMcpCommand } from "./commands/mcp.ts";
import { addMemoryCommands } from "./commands/memory.ts";
import { addModelCommands } from "./commands/models.ts";
import { addNetworkCommands } from "./commands/network.ts";
import { addProviderCommands } from "./commands/providers.ts";
import { addAskCommand, addRunCommand } from "./commands/run.ts";
import { addRpcCommand } from "./commands/rpc.ts";
import { addRunsCommands } from "./commands/runs.ts";
import { addWorkbenchCommands } from "./commands/workbench.ts";
import { addWorkshopCommands } from "./commands/workshop.ts";
import { addWorkspaceCommands } from "./commands/workspaces.ts";
import { exitCodeHelp } from "./failure.ts";
import type { Invocation } from "./invocation.ts";

/** Every command there is. The reference (`docs/cli.md`) and the shell completion are read from this tree. */
export function createProgram(invocation: Invocation): Command {
  const program = new Command("benchtop")
    .description(
      "A workbench for AI on your own files: agents edit a Draft, you publish it, and every run is kept in a journal.",
    )
    .version(versionOf(), "-V, --version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help of a command")
    .option("--workspace <workspace>", "work in this workspace, by name or id; goes with every command", nonEmpty)
    .hook("preAction", () => {
      const { workspace } = program.opts<{ workspace?: string }>();
      if (workspace !== undefined) invocation.workIn(workspace);
    })
    .showHelpAfterError("(add --help for examples)")
    .exitOverride()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({
      writeErr: (text) => invocation.json || invocation.terminal.writeError(text),
    })
    .addHelpText("after", generalHelp());
  addDaemonCommands(program, invocation);
  addLoginCommands(program, invocation);
  addChatCommand(program, invocation);
  addProviderCommands(program, invocation);
  addModelCommands(program, invocation);
  addRunCommand(program, invocation);
  addAskCommand(program, invocation);
  addWorkbenchCommands(program, invocation);
  addWorkshopCommands(program, invocation);
  addDraftCommands(program, invocation);
  addCheckpointCommands(program, invocation);
  addRunsCommands(program, invocation);
  addConversationCommands(program, invocation);
  addApprovalsCommand(program, invocation);
  addEvalCommands(program, invocation);
  addMemoryCommands(program, invocation);
  addConsentCommands(program, invocation);
  addEgressCommand(program, invocation);
  addNetworkCommands(program, invocation);
  addFailureCommands(program, invocation);
  addKeyCommands(program, invocation);
  addMemberCommands(program, invocation);
  addWorkspaceCommands(program, invocation);
  addAccessCommands(program, invocation);
  addCallCommand(program, invocation);
  addRpcCommand(program, invocation);
  addMcpCommand(program, invocation);
  addCompletionCommand(program, invocation);
  return program;
}

function generalHelp(): string {
  const codes = exitCodeHelp.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join("\n");
  return `
From nothing to a published change:
  benchtop chat            # ask the guide, which is there from the start
  benchtop providers add --preset openai --api-key-env OPENAI_API_KEY
  benchtop workbench create budget --add notes.md --add data.csv
  benchtop ask budget "add a summary.md" --model openai/gpt-5.2 --consent once
  benchtop draft diff budget && benchtop draft publish budget

Environment:
  BENCHTOP_HOME        where everything is kept (default ~/.benchtop)
  BENCHTOP_PORT        port of the daemon; 0 takes any that is free
  BENCHTOP_HOST, BENCHTOP_PUBLIC_URLS
                       address to listen on (127.0.0.1), and those that others reach the daemon by
  BENCHTOP_TLS_CERT, BENCHTOP_TLS_KEY
                       files of the daemon's own certificate and its key (PEM)
  BENCHTOP_DATABASE_URL
                       postgresql:// address to keep runs and rows in, instead of a file
  BENCHTOP_PROXY       http(s):// proxy to reach model providers through
  BENCHTOP_CA_FILE     certificate authorities (PEM) to trust beside the usual ones
  BENCHTOP_URL, BENCHTOP_TOKEN
                       use a daemon that runs elsewhere, or another identity, whatever \`login\` chose
  BENCHTOP_WORKSPACE   the workspace when --workspace is left out
  BENCHTOP_MODEL       the model when --model is left out
  NO_COLOR             no colours

Exit codes:
${codes}

With --json every command prints JSON: one value, or one event a line where it streams. Errors are then one line
{"error":{"message","error_code",…}} on standard error.`;
}

function nonEmpty(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("A name or an id is needed.");
  return text;
}

function versionOf(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
