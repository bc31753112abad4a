import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatAge, formatBytes } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, positiveNumber } from "./command.ts";

export function addEgressCommand(program: Command, invocation: Invocation): void {
  addCommand(program, "egress", "What was sent where, newest first. Never the content.", [
    "benchtop egress --run run_01k…",
    "benchtop egress --json | jq '.items[].host'",
  ])
    .option("--workbench <id>", "only requests for this workbench")
    .option("--run <id>", "only requests of this run")
    .option("--limit <number>", "at most so many", positiveNumber, 50)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: EgressOptions) => listEgress(invocation, options));
}

interface EgressOptions {
  readonly workbench?: string;
  readonly run?: string;
  readonly limit: number;
  readonly cursor?: string;
}

async function listEgress(invocation: Invocation, options: EgressOptions): Promise<void> {
  const { workbench, run, limit, cursor } = options;
  const client = await invocation.client();
  const workbenchId =
    workbench === undefined
      ? undefined
      : (await client.call("workbenches.open", { workbenchId: workbench })).workbenchId;
  const answer = await client.call("egress.listEvents", {
    limit,
    ...(cursor !== undefined && { cursor }),
    ...(workbenchId !== undefined && { workbenchId }),
    ...(run !== undefined && { runId: run }),
  });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("Nothing was sent anywhere.");
  printTable(terminal, answer.items, [
    { title: "WHEN", value: ({ at }) => formatAge(at) },
    {
      title: "OUTCOME",
      value: ({ outcome, status, errorCode }) => [outcome, status ?? errorCode ?? ""].join(" ").trim(),
      paint: (cell, { outcome }) =>
        terminal.colours[outcome === "sent" ? "green" : outcome === "blocked" ? "yellow" : "red"](cell),
    },
    { title: "PURPOSE", value: ({ purpose }) => purpose },
    { title: "HOST", value: ({ host }) => host },
    {
      title: "MODEL",
      value: ({ providerId, modelId }) => [providerId, modelId].filter((part) => part !== null).join("/"),
    },
    { title: "SENT", align: "right", value: ({ bytesSent }) => formatBytes(bytesSent) },
    { title: "RECEIVED", align: "right", value: ({ bytesReceived }) => formatBytes(bytesReceived) },
    {
      title: "TOKENS",
      align: "right",
      value: ({ inputTokens, outputTokens }) =>
        inputTokens === null && outputTokens === null ? "" : `${inputTokens ?? 0}/${outputTokens ?? 0}`,
    },
    { title: "FILES", align: "right", value: ({ fileCount }) => (fileCount === null ? "" : String(fileCount)) },
    { title: "RUN", value: ({ runId }) => runId ?? "" },
  ]);
}
