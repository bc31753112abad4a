import { Argument, type Command, Option } from "commander";
import type { Member } from "@benchtop/operations";
import type { Client } from "@benchtop/client";
import { roles, type Role } from "@benchtop/operations/permissions";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "../invocation.ts";
import { formatAge, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, days, positiveNumber } from "./command.ts";
import { allItems, oneOf } from "./names.ts";

export function addMemberCommands(program: Command, invocation: Invocation): void {
  const members = addGroup(
    program,
    "members",
    "Who works in this workspace, and what they may do. A member is named by id, e-mail address or name.",
  );

  addCommand(members, "list", "Members of the workspace, by name.")
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: PageOptions) => list(invocation, options));

  addCommand(
    members,
    "invite [email]",
    "Make a link that invites a person. It is printed once; with an address, only who signs in with it can take it.",
    ["benchtop members invite --role editor", "benchtop members invite ada@example.com --role viewer --expires 3d"],
  )
    .addOption(new Option("--role <role>", "what they may do").choices(roles).makeOptionMandatory())
    .addOption(new Option("--expires <days>", "such as 3d; at most 90d").argParser(days).default(7, "7d"))
    .action((email: string | undefined, options: { role: Role; expires: number }) =>
      invite(invocation, email, options),
    );

  addCommand(members, "role <member>", "Change what a member may do.", ["benchtop members role ada@example.com admin"])
    .addArgument(new Argument("<role>", "what they may do").choices(roles))
    .action((member: string, role: Role) => setRole(invocation, member, role));

  addCommand(members, "remove <member>", "Remove a member; their keys and sign-ins here end at once.")
    .option("-y, --yes", "do not ask")
    .action((member: string, options: { yes?: boolean }) => remove(invocation, member, options.yes ?? false));

  addCommand(
    members,
    "link <member>",
    "A link that signs one browser in as a member of a role below yours: good once, for ten minutes.",
  ).action((member: string) => link(invocation, member));

  addCommand(members, "invitations", "Invitations, newest first.")
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: PageOptions) => invitations(invocation, options));

  addCommand(
    members,
    "revoke-invitation <invitation>",
    "Take an open invitation back. Named by its id or address.",
  ).action((invitation: string) => revokeInvitation(invocation, invitation));
}

interface PageOptions {
  readonly limit: number;
  readonly cursor?: string;
}

async function list(invocation: Invocation, options: PageOptions): Promise<void> {
  const answer = await (await invocation.client()).call("members.list", options);
  if (invocation.json) return invocation.printJson(answer);
  printTable(invocation.terminal, answer.items, [
    { title: "NAME", value: ({ displayName }) => displayName, shrink: true },
    { title: "E-MAIL", value: ({ email }) => email ?? "" },
    { title: "ROLE", value: ({ role }) => role },
    { title: "KIND", value: ({ kind, oidc }) => (oidc ? `${kind}, signs in with the team` : kind) },
    { title: "SEEN", value: ({ lastSeenAt }) => (lastSeenAt === null ? "never" : formatAge(lastSeenAt)) },
    { title: "ID", value: ({ userId }) => userId },
  ]);
}

async function invite(
  invocation: Invocation,
  email: string | undefined,
  options: { role: Role; expires: number },
): Promise<void> {
  const answer = await (
    await invocation.client()
  ).call("invitations.create", {
    role: options.role,
    expiresInDays: options.expires,
    ...(email !== undefined && { email }),
  });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  const { invitation, url } = answer;
  terminal.line(printable(url));
  const whose = invitation.email === null ? "whoever has it" : `who signs in as ${printable(invitation.email)}`;
  const until = invitation.expiresAt.slice(0, 10);
  terminal.errorLine(
    terminal.errorColours.dim(
      `This link makes ${whose} ${invitation.role} here, until ${until}. It is not shown again.`,
    ),
  );
}

async function setRole(invocation: Invocation, word: string, role: Role): Promise<void> {
  const client = await invocation.client();
  const { userId } = await findMember(client, word);
  const member = await client.call("members.setRole", { userId, role });
  if (invocation.json) return invocation.printJson(member);
  invocation.terminal.line(`${printable(member.displayName)} is ${member.role} now.`);
}

async function remove(invocation: Invocation, word: string, yes: boolean): Promise<void> {
  const client = await invocation.client();
  const { userId, displayName, role } = await findMember(client, word);
  const { terminal } = invocation;
  if (terminal.isInteractive && !yes && !(await terminal.confirm(`Remove ${printable(displayName)} (${role})?`))) {
    throw new BenchtopError("USER_CANCELED", "Nobody was removed.");
  }
  await client.call("members.remove", { userId });
  if (invocation.json) return invocation.printJson({ removed: userId });
  terminal.line(`Removed ${printable(displayName)}. What they made stays.`);
}

async function link(invocation: Invocation, word: string): Promise<void> {
  const client = await invocation.client();
  const { userId, displayName } = await findMember(client, word);
  const answer = await client.call("members.createLink", { userId });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  terminal.line(printable(answer.url));
  terminal.errorLine(
    terminal.errorColours.dim(`Signs one browser in as ${printable(displayName)}: once, within ten minutes.`),
  );
}

async function invitations(invocation: Invocation, options: PageOptions): Promise<void> {
  const answer = await (await invocation.client()).call("invitations.list", options);
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("None: `benchtop members invite --role ROLE` makes one.");
  printTable(terminal, answer.items, [
    { title: "FOR", value: ({ email }) => email ?? "whoever has the link" },
    { title: "ROLE", value: ({ role }) => role },
    { title: "STATUS", value: ({ status }) => status },
    { title: "BY", value: ({ invitedBy }) => invitedBy },
    { title: "MADE", value: ({ createdAt }) => formatAge(createdAt) },
    { title: "UNTIL", value: ({ expiresAt }) => expiresAt.slice(0, 10) },
    { title: "ID", value: ({ invitationId }) => invitationId },
  ]);
}

async function revokeInvitation(invocation: Invocation, word: string): Promise<void> {
  const client = await invocation.client();
  const all = await allItems((cursor) => client.call("invitations.list", { limit: 1000, ...cursor }));
  const open = all.filter(({ status }) => status === "open");
  const { invitationId } = oneOf(open, "open invitation", word, (one) => [one.invitationId, one.email]);
  await client.call("invitations.revoke", { invitationId });
  if (invocation.json) return invocation.printJson({ revoked: invitationId });
  invocation.terminal.line("Took the invitation back: its link is of no use any more.");
}

async function findMember(client: Client, word: string): Promise<Member> {
  const members = await allItems((cursor) => client.call("members.list", { limit: 1000, ...cursor }));
  return oneOf(members, "member", word, ({ userId, email, displayName }) => [userId, email, displayName]);
}
