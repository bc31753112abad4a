import { type Command, InvalidArgumentError, Option } from "commander";
import type { ApiKey, Scope } from "@benchtop/operations";
import { rolePermissions, roles, scopes as allScopes, type Role } from "@benchtop/operations/permissions";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "../invocation.ts";
import { formatAge, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, daysOrNever, positiveNumber } from "./command.ts";
import { allItems, oneOf } from "./names.ts";

export function addKeyCommands(program: Command, invocation: Invocation): void {
  const keys = addGroup(
    program,
    "keys",
    "API keys: what programs prove with that they may act for you, or for the team.",
  );

  addCommand(keys, "list", "Keys of yours in this workspace; everybody's for an admin. Never the keys themselves.")
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: { limit: number; cursor?: string }) => list(invocation, options));

  addCommand(keys, "create <name>", "Make a key. It is printed once, alone on standard output, and never again.", [
    "benchtop keys create reports --read",
    "KEY=$(benchtop keys create nightly --work --expires 30d)",
    "benchtop keys create ci --service --role editor --scope runs:read,runs:write --expires never",
  ])
    .option("--read", "it may read workbenches, runs, providers, members and what was sent")
    .option("--work", "it may also change workbenches, start runs and decide about consent")
    .addOption(
      new Option("--scope <scope>", `it may do this; may be repeated. One of ${allScopes.join(", ")}`).argParser(
        collectScopes,
      ),
    )
    .addOption(new Option("--expires <days>", "such as 30d, or never").argParser(daysOrNever).default(90, "90d"))
    .option("--service", "give it an identity of its own, which outlasts the person who makes it")
    .addOption(new Option("--role <role>", "what the service is in this workspace; needs --service").choices(roles))
    .action((name: string, options: CreateOptions) => create(invocation, name, options));

  addCommand(keys, "revoke <key>", "End a key at once, and the browser sessions that it opened.", [
    "benchtop keys revoke nightly",
    "benchtop keys revoke key_01k…",
  ]).action((key: string) => revoke(invocation, key));
}

interface CreateOptions {
  readonly read?: boolean;
  readonly work?: boolean;
  readonly scope?: readonly Scope[];
  readonly expires: number | "never";
  readonly service?: boolean;
  readonly role?: Role;
}

async function create(invocation: Invocation, name: string, options: CreateOptions): Promise<void> {
  const service = serviceOf(options);
  const answer = await (
    await invocation.client()
  ).call("keys.create", {
    name,
    scopes: scopesOf(options),
    expiresInDays: options.expires === "never" ? null : options.expires,
    ...(service !== undefined && { service }),
  });
  const { terminal } = invocation;
  const { key, secret } = answer;
  if (invocation.json) invocation.printJson(answer);
  else terminal.line(printable(secret));
  const end = key.expiresAt === null ? "does not expire" : `expires on ${key.expiresAt.slice(0, 10)}`;
  const note = `This is the key ${printable(key.name)} (${printable(key.keyId)}). It is not shown again, and ${end}.`;
  if (!invocation.json) terminal.errorLine(terminal.errorColours.dim(note));
}

function serviceOf({ service, role }: CreateOptions): { role: Role } | undefined {
  if (service === true) {
    if (role !== undefined) return { role };
    throw new BenchtopError("VALIDATION_FAILED", `Say what the service may be: --role ${roles.join("|")}.`, settings);
  }
  if (role === undefined) return undefined;
  throw new BenchtopError("VALIDATION_FAILED", "--role is for a service token: add --service.", settings);
}

/** What the presets and the scopes amount to together. Nothing is given away by leaving them out. */
function scopesOf({ read, work, scope = [] }: CreateOptions): Scope[] {
  const wanted = new Set<string>([
    ...(read === true ? rolePermissions.viewer : []),
    ...(work === true ? rolePermissions.editor : []),
  ]);
  // A key that makes keys is asked for by its name.
  wanted.delete("keys:write");
  for (const name of scope) wanted.add(name);
  const scopes = allScopes.filter((name) => wanted.has(name));
  if (scopes.length > 0) return scopes;
  throw new BenchtopError("VALIDATION_FAILED", "Say what the key may do: --read, --work or --scope.", settings);
}

async function list(invocation: Invocation, options: { limit: number; cursor?: string }): Promise<void> {
  const answer = await (await invocation.client()).call("keys.list", options);
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("No keys yet: `benchtop keys create NAME --read` makes one.");
  printTable(terminal, answer.items, [
    { title: "NAME", value: ({ name }) => name, shrink: true },
    { title: "KEY", value: ({ prefix }) => `${prefix}…` },
    { title: "OF", value: ({ userName, kind }) => (kind === "service" ? `${userName} (service)` : userName) },
    {
      title: "STATUS",
      value: ({ status }) => status,
      paint: (cell, { status }) => terminal.colours[status === "active" ? "green" : "dim"](cell),
    },
    { title: "EXPIRES", value: ({ expiresAt }) => expiresAt?.slice(0, 10) ?? "never" },
    { title: "USED", value: ({ lastUsedAt }) => (lastUsedAt === null ? "never" : formatAge(lastUsedAt)) },
    { title: "ID", value: ({ keyId }) => keyId },
    { title: "MAY", value: ({ scopes }) => scopes.join(" ") },
  ]);
}

async function revoke(invocation: Invocation, word: string): Promise<void> {
  const client = await invocation.client();
  const key = await findKey(word, () => allItems((cursor) => client.call("keys.list", { limit: 1000, ...cursor })));
  await client.call("keys.revoke", { keyId: key.keyId });
  if (invocation.json) return invocation.printJson({ revoked: key.keyId });
  invocation.terminal.line(`Revoked ${printable(key.name)}: it is refused from now on.`);
}

/** By its id whatever became of it; by its name only while it is good for something. */
async function findKey(word: string, list: () => Promise<ApiKey[]>): Promise<Pick<ApiKey, "keyId" | "name">> {
  if (/^key_[0-9a-z]{26}$/.test(word)) return { keyId: word, name: word };
  const active = (await list()).filter(({ status }) => status === "active");
  return oneOf(active, "active key", word, ({ keyId, name, prefix }) => [keyId, name, prefix]);
}

function collectScopes(text: string, previous: readonly string[] = []): string[] {
  const given = text.split(",").map((name) => name.trim());
  const unknown = given.find((name) => !allScopes.includes(name as Scope));
  if (unknown === undefined) return [...previous, ...given];
  throw new InvalidArgumentError(`There is no scope ${unknown}. There are: ${allScopes.join(", ")}.`);
}

const settings = { phase: "settings" } as const;
