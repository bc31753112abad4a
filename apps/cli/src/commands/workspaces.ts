import type { Command } from "commander";
import { BenchtopError } from "@benchtop/protocol/errors";
import { changeCredentials, type ChosenWorkspace } from "../daemon/credentials.ts";
import { chosenDaemon, givenToken } from "../daemon/find.ts";
import type { Invocation } from "../invocation.ts";
import { formatAge, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { findWorkspace } from "../workspace.ts";
import { addCommand, addGroup, positiveNumber } from "./command.ts";
import { quoted } from "./names.ts";

export function addWorkspaceCommands(program: Command, invocation: Invocation): void {
  const workspaces = addGroup(
    program,
    "workspaces",
    "Workspaces: organisations with their own members, workbenches, runs, providers and keys. Named by name or id.",
  );

  addCommand(workspaces, "list", "Workspaces that you are a member of; all of them for the operator.")
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: { limit: number; cursor?: string }) => list(invocation, options));

  addCommand(workspaces, "use <workspace>", "Work in this workspace from now on, with this daemon.", [
    "benchtop workspaces use research",
    "benchtop --workspace research runs list           # for one command alone",
    "BENCHTOP_WORKSPACE=research benchtop runs list",
  ]).action((workspace: string) => use(invocation, workspace));

  addCommand(workspaces, "create <name>", "Create a workspace. You are its first owner.").action((name: string) =>
    create(invocation, name),
  );

  addCommand(workspaces, "rename <workspace> <name>", "Give a workspace another name.").action(
    (workspace: string, name: string) => rename(invocation, workspace, name),
  );

  addCommand(
    workspaces,
    "delete <workspace>",
    "Delete a workspace that holds no workbenches any more, with its memberships, keys and providers.",
  )
    .option("-y, --yes", "do not ask")
    .action((workspace: string, options: { yes?: boolean }) => remove(invocation, workspace, options.yes ?? false));
}

/** Asked outside any workspace in particular: what was chosen may be gone by now. */
async function list(invocation: Invocation, options: { limit: number; cursor?: string }): Promise<void> {
  const answer = await (await invocation.clientIn(undefined)).call("workspaces.list", options);
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("You are a member of none.");
  printTable(terminal, answer.items, [
    { title: "NAME", value: ({ name }) => name, shrink: true },
    { title: "YOU ARE", value: ({ role }) => role ?? "operator" },
    { title: "MEMBERS", align: "right", value: ({ members }) => String(members) },
    { title: "WORKBENCHES", align: "right", value: ({ workbenches }) => String(workbenches) },
    { title: "CREATED", value: ({ createdAt }) => formatAge(createdAt) },
    { title: "ID", value: ({ workspaceId }) => workspaceId },
  ]);
}

async function use(invocation: Invocation, word: string): Promise<void> {
  const { workspaceId, name } = await findWorkspace(await invocation.clientIn(undefined), word);
  await (await invocation.clientIn(workspaceId)).call("identity.whoami", {});
  await choose(invocation, { id: workspaceId, name });
  if (invocation.json) return invocation.printJson({ workspaceId, name });
  invocation.terminal.line(`Commands work in ${printable(name)} from now on.`);
}

/** Kept beside the token it was chosen with. */
async function choose({ home }: Invocation, workspace: ChosenWorkspace): Promise<void> {
  if (givenToken() !== undefined) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      "BENCHTOP_TOKEN says who you are for this call alone. Set BENCHTOP_WORKSPACE beside it, or `benchtop login`.",
      { phase: "settings" },
    );
  }
  const url = chosenDaemon()?.url;
  await changeCredentials((before) => {
    if (url === undefined) return { ...before, homes: { ...before.homes, [home]: { workspace } } };
    const known = before.daemons[url];
    return known === undefined ? before : { ...before, daemons: { ...before.daemons, [url]: { ...known, workspace } } };
  });
}

async function create(invocation: Invocation, name: string): Promise<void> {
  const created = await (await invocation.client()).call("workspaces.create", { name });
  if (invocation.json) return invocation.printJson(created);
  invocation.terminal.line(
    `Created ${printable(created.name)}. Work in it: \`benchtop workspaces use ${printable(quoted(created.name))}\``,
  );
}

async function rename(invocation: Invocation, word: string, name: string): Promise<void> {
  const { workspaceId } = await findWorkspace(await invocation.clientIn(undefined), word);
  const renamed = await (await invocation.clientIn(workspaceId)).call("workspaces.rename", { name });
  if (invocation.json) return invocation.printJson(renamed);
  invocation.terminal.line(`${printable(word)} is now ${printable(renamed.name)}.`);
}

async function remove(invocation: Invocation, word: string, yes: boolean): Promise<void> {
  const client = await invocation.clientIn(undefined);
  const { workspaceId, name } = await findWorkspace(client, word);
  const { terminal } = invocation;
  const question = `Delete ${printable(name)} with its memberships, keys and providers? It cannot be brought back.`;
  if (terminal.isInteractive && !yes && !(await terminal.confirm(question))) {
    throw new BenchtopError("USER_CANCELED", "Nothing was deleted.");
  }
  await client.call("workspaces.delete", { workspaceId });
  await changeCredentials(({ homes, ...rest }) => ({
    ...rest,
    homes: Object.fromEntries(Object.entries(homes).filter(([, { workspace }]) => workspace.id !== workspaceId)),
  }));
  if (invocation.json) return invocation.printJson({ deleted: workspaceId });
  terminal.line(`Deleted ${printable(name)}.`);
}
