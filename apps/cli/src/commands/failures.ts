import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatAge, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, positiveNumber } from "./command.ts";

/** What went wrong here: reports that hold no prompt, no file content and no secret. */
export function addFailureCommands(program: Command, invocation: Invocation): void {
  const failures = addGroup(program, "failures", "What went wrong, kept on this machine without any content.");

  addCommand(failures, "list", "Failures, newest first.", ["benchtop failures list --workbench budget"])
    .option("--workbench <workbench>", "only those of this workbench")
    .option("--run <id>", "only those of this run")
    .option("--limit <number>", "at most so many", positiveNumber, 20)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: ListOptions) => list(invocation, options));

  addCommand(failures, "show <failure>", "One report, whole. It is made to be shown to somebody who can help.", [
    "benchtop failures show fail_01k… --json > report.json",
  ]).action((failureId: string) => show(invocation, failureId));
}

interface ListOptions {
  readonly workbench?: string;
  readonly run?: string;
  readonly limit: number;
  readonly cursor?: string;
}

async function list(invocation: Invocation, { workbench, run, limit, cursor }: ListOptions): Promise<void> {
  const client = await invocation.client();
  const opened =
    workbench === undefined ? undefined : await client.call("workbenches.open", { workbenchId: workbench });
  const answer = await client.call("failures.list", {
    limit,
    ...(opened && { workbenchId: opened.workbenchId }),
    ...(run !== undefined && { runId: run }),
    ...(cursor !== undefined && { cursor }),
  });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("Nothing went wrong.");
  printTable(terminal, answer.items, [
    { title: "FAILURE", value: ({ failureId }) => failureId },
    { title: "WHEN", value: ({ at }) => formatAge(at) },
    { title: "CODE", value: ({ errorCode }) => errorCode },
    { title: "IN", value: ({ runKind, operation }) => runKind ?? operation ?? "" },
    { title: "WHAT", value: ({ message }) => message, shrink: true },
  ]);
  if (answer.nextCursor !== null) terminal.errorLine(`There are more: --cursor ${answer.nextCursor}`);
}

async function show(invocation: Invocation, failureId: string): Promise<void> {
  const report = await (await invocation.client()).call("failures.get", { failureId });
  if (invocation.json) return invocation.printJson(report);
  const { terminal } = invocation;
  const { bold, dim } = terminal.colours;
  terminal.line(`${bold(report.errorCode)} ${dim(`${report.at}, phase ${report.phase}`)}`);
  terminal.line(printable(report.message));
  const facts: [string, string | null][] = [
    ["run", report.runId === null ? null : `${report.runId} (${report.runKind ?? "?"})`],
    ["operation", report.operation],
    ["workbench", report.workbenchId],
    ["model", [report.providerId, report.modelId].filter((part) => part !== null).join("/") || null],
    ["version", `${report.version}, ${report.platform}`],
    ...Object.entries(report.detail).map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
  ];
  for (const [name, value] of facts) if (value !== null) terminal.line(`  ${name.padEnd(10)} ${printable(value)}`);
  for (const { type, at } of report.lastEvents) terminal.line(dim(`  ${at}  ${type}`));
  for (const line of report.stack) terminal.line(dim(`  ${printable(line)}`));
}
