import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatAge, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup } from "./command.ts";

/** Hosts of the operator's own network that providers may be at. */
export function addNetworkCommands(program: Command, invocation: Invocation): void {
  const network = addGroup(program, "network", "Hosts of your own network that a provider may be at, by your leave.");

  addCommand(network, "list", "Hosts that were approved for this workspace.").action(() => list(invocation));

  addCommand(
    network,
    "approve <host>",
    "Let providers of this workspace reach HOST:PORT, by plain HTTP too. Showing them files still needs consent.",
    [
      'benchtop network approve 192.168.1.20:11434 --note "the machine with the GPU"',
      "benchtop providers add lab --kind openai-chat --base-url http://192.168.1.20:11434/v1",
    ],
  )
    .option("--note <text>", "what it is", "")
    .action((host: string, options: { note: string }) => approve(invocation, host, options.note));

  addCommand(network, "revoke <host>", "Take that back: requests to it are refused from now on.").action(
    (host: string) => revoke(invocation, host),
  );
}

async function list(invocation: Invocation): Promise<void> {
  const answer = await (await invocation.client()).call("egressExceptions.list", {});
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return invocation.terminal.line("No host of the local network was approved.");
  printTable(invocation.terminal, answer.items, [
    { title: "HOST", value: ({ host }) => host },
    { title: "APPROVED", value: ({ createdAt }) => formatAge(createdAt) },
    { title: "BY", value: ({ approvedBy }) => approvedBy },
    { title: "NOTE", value: ({ note }) => note, shrink: true },
  ]);
}

async function approve(invocation: Invocation, host: string, note: string): Promise<void> {
  const exception = await (await invocation.client()).call("egressExceptions.approve", { host, note });
  if (invocation.json) return invocation.printJson(exception);
  invocation.terminal.line(`Providers of this workspace may be at ${printable(exception.host)}.`);
}

async function revoke(invocation: Invocation, host: string): Promise<void> {
  await (await invocation.client()).call("egressExceptions.revoke", { host });
  if (invocation.json) return invocation.printJson({ host });
  invocation.terminal.line(`Nothing is sent to ${printable(host)} any more.`);
}
