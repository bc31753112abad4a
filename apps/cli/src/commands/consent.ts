import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatBytes, formatCount } from "../output/format.ts";
import { printFacts } from "../output/table.ts";
import { addCommand, addGroup, modelOption } from "./command.ts";
import { modelOf } from "./names.ts";

export function addConsentCommands(program: Command, invocation: Invocation): void {
  const consent = addGroup(program, "consent", "What may be sent to which model.");

  addCommand(consent, "status <workbench>", "What a model would be shown, where it would go, and whether you agreed.", [
    "benchtop consent status budget --model openai/gpt-5.2",
  ])
    .addOption(modelOption())
    .action((workbench: string, options: { model: string }) => status(invocation, workbench, options.model));

  addCommand(consent, "revoke <workbench>", "Take back every consent of a workbench.").action((workbench: string) =>
    revoke(invocation, workbench),
  );
}

async function status(invocation: Invocation, workbench: string, model: string): Promise<void> {
  invocation.about({ workbench, ...modelOf(model) });
  const answer = await (await invocation.client()).call("egress.consentStatus", { workbenchId: workbench, model });
  if (invocation.json) return invocation.printJson(answer);
  const { workshop } = answer;
  const agreed = workshop.persisted
    ? "yes, until it is taken back"
    : workshop.consented
      ? "yes, until Benchtop stops"
      : "no";
  printFacts(invocation.terminal, [
    ["Model", model],
    [
      "Goes to",
      workshop.required ? workshop.host : `${workshop.host} (this machine: nothing leaves, no consent needed)`,
    ],
    ["Would see", `${formatCount(workshop.fileCount, "file")}, ${formatBytes(workshop.totalBytes)}`],
    ...(workshop.memories > 0 ? [["And", formatCount(workshop.memories, "remembered text")] as const] : []),
    ["Agreed", workshop.required ? agreed : "not needed"],
    ["Scope", workshop.scopeHash.slice(0, 16)],
  ]);
}

async function revoke(invocation: Invocation, workbench: string): Promise<void> {
  invocation.about({ workbench });
  const answer = await (await invocation.client()).call("egress.revokeConsent", { workbenchId: workbench });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(`Took back every consent of ${workbench}.`);
}
