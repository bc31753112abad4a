import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { addCommand } from "./command.ts";

export function addMcpCommand(program: Command, invocation: Invocation): void {
  addCommand(
    program,
    "mcp",
    "Be an MCP server over standard input and output, for a client that starts its servers itself. Starts the daemon when none runs.",
    [
      '{ "mcpServers": { "benchtop": { "command": "npx", "args": ["benchtop", "mcp"] } } }   # in the client\'s configuration',
    ],
  ).action(() => mcp(invocation));
}

async function mcp(invocation: Invocation): Promise<void> {
  const { bridge } = await import("../mcp/bridge.ts");
  const ending = new AbortController();
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(name, () => ending.abort());
  await bridge({
    find: (again) => (again ? invocation.daemonAgain() : invocation.daemon()),
    workspace: await invocation.workspaceId(),
    input: process.stdin,
    output: process.stdout,
    complain: (text) => invocation.terminal.errorLine(`benchtop mcp: ${text}`),
    signal: ending.signal,
  });
}
