import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { addCommand } from "./command.ts";

export function addRpcCommand(program: Command, invocation: Invocation): void {
  addCommand(
    program,
    "rpc",
    "Speak JSON-RPC 2.0 with the daemon over standard input and output, one message a line; ends with the input, once all calls are answered.",
    [`echo '{"jsonrpc":"2.0","id":1,"method":"WorkbenchList"}' | benchtop rpc --stdio`],
  )
    .requiredOption("--stdio", "over standard input and output, for a program that embeds Benchtop")
    .action(() => rpc(invocation));
}

async function rpc(invocation: Invocation): Promise<void> {
  const [{ url, token }, workspace] = await Promise.all([invocation.daemon(), invocation.workspaceId()]);
  const { bridge } = await import("../rpc/bridge.ts");
  await bridge({ url, token, workspace, input: process.stdin, output: process.stdout });
}
