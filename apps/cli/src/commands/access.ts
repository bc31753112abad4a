import type { Command } from "commander";
import type { AccessEvent } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "../invocation.ts";
import { formatAge } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, positiveNumber } from "./command.ts";

export function addAccessCommands(program: Command, invocation: Invocation): void {
  const signIns = addGroup(program, "sign-ins", "Browsers that are signed in as you.");

  addCommand(signIns, "list", "Browsers that are signed in as you, last seen first.")
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: PageOptions) => listSignIns(invocation, options));

  addCommand(signIns, "end <sign-in>", "Sign one of your browsers out, by its id.").action((signInId: string) =>
    endSignIn(invocation, signInId),
  );

  addCommand(
    program,
    "audit",
    "Who signed in or tried to, and what became of keys, members and workspaces. Newest first.",
    ["benchtop audit --event sign-in.failed", "benchtop audit --json | jq '.items[].actorName'"],
  )
    .option("--event <event>", "only such events: key.created, token.refused, …")
    .option("--user <id>", "only what this user did, or what was done to them")
    .option("--limit <number>", "at most so many", positiveNumber, 50)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: AuditOptions) => audit(invocation, options));
}

interface PageOptions {
  readonly limit: number;
  readonly cursor?: string;
}

interface AuditOptions extends PageOptions {
  readonly event?: string;
  readonly user?: string;
}

async function listSignIns(invocation: Invocation, options: PageOptions): Promise<void> {
  const answer = await (await invocation.client()).call("signIns.list", options);
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("No browser is signed in as you.");
  printTable(terminal, answer.items, [
    { title: "BY", value: ({ method }) => method },
    { title: "FROM", value: ({ address }) => address ?? "" },
    { title: "BROWSER", value: ({ userAgent }) => userAgent ?? "", shrink: true },
    { title: "SEEN", value: ({ lastSeenAt }) => formatAge(lastSeenAt) },
    { title: "UNTIL", value: ({ expiresAt }) => expiresAt.slice(0, 10) },
    { title: "ID", value: ({ signInId }) => signInId },
  ]);
}

async function endSignIn(invocation: Invocation, signInId: string): Promise<void> {
  await (await invocation.client()).call("signIns.revoke", { signInId });
  if (invocation.json) return invocation.printJson({ ended: signInId });
  invocation.terminal.line("That browser is signed out.");
}

async function audit(invocation: Invocation, { event, user, ...page }: AuditOptions): Promise<void> {
  const { accessEvents } = await import("@benchtop/operations");
  const wanted = accessEvents.find((name) => name === event);
  if (event !== undefined && wanted === undefined) {
    const message = `There is no event ${event}. There are: ${accessEvents.join(", ")}.`;
    throw new BenchtopError("VALIDATION_FAILED", message, { phase: "settings" });
  }
  const answer = await (
    await invocation.client()
  ).call("audit.list", {
    ...page,
    ...(wanted !== undefined && { event: wanted }),
    ...(user !== undefined && { userId: user }),
  });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("Nothing was recorded.");
  printTable(terminal, answer.items, [
    { title: "WHEN", value: ({ at }) => formatAge(at) },
    {
      title: "WHAT",
      value: (line) => line.event,
      paint: (cell, line) => (isRefusal(line) ? terminal.colours.yellow(cell) : cell),
    },
    { title: "WHO", value: ({ actorName, actorId }) => actorName ?? actorId ?? "nobody known" },
    { title: "WHOM", value: ({ subjectName, subjectId }) => subjectName ?? subjectId ?? "" },
    { title: "FROM", value: ({ address }) => address ?? "" },
    {
      title: "MORE",
      value: ({ detail }) =>
        Object.entries(detail)
          .map(([name, value]) => `${name}=${value}`)
          .join(" "),
    },
  ]);
}

function isRefusal({ event }: AccessEvent): boolean {
  return event === "sign-in.failed" || event === "token.refused";
}
