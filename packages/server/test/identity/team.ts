import type { Role, Scope } from "@benchtop/operations";
import { json, type TestDaemon } from "../test-daemon.ts";

/** What came back of a request: the code is that of the error, `ok` otherwise. */
export interface Told {
  readonly status: number;
  readonly code: string;
  readonly body: Record<string, unknown>;
  readonly cookie: string | undefined;
}

/** Somebody who asks, with one proof. */
export interface Asker {
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Told>;
}

export interface Person extends Asker {
  readonly userId: string;
  readonly cookie: string;
}

/** A workspace with one person of each role. */
export type Team = Readonly<Record<Role, Person>> & {
  readonly workspaceId: string;
  /** The operator, in this workspace. */
  readonly operator: Asker;
};

export async function startTeam(daemon: TestDaemon, name: string): Promise<Team> {
  const created = await byToken(daemon, daemon.token).ask("POST", "/api/v1/workspaces", { name });
  const workspaceId = String(created.body["workspaceId"]);
  const operator = byToken(daemon, daemon.token, { "benchtop-workspace": workspaceId });
  const join = async (role: Role): Promise<Person> =>
    await accept(daemon, await invite(operator, role), { displayName: `${name} ${role}` });
  return {
    workspaceId,
    operator,
    viewer: await join("viewer"),
    editor: await join("editor"),
    admin: await join("admin"),
    owner: await join("owner"),
  };
}

/** The token of a new invitation. */
export async function invite(asker: Asker, role: Role, more: Record<string, unknown> = {}): Promise<string> {
  const { body } = await asker.ask("POST", "/api/v1/invitations", { role, ...more });
  return tokenIn(body["url"]);
}

/** Takes an invitation as a new person. */
export async function accept(daemon: TestDaemon, token: string, input: { displayName: string }): Promise<Person> {
  const told = await nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, ...input });
  if (told.status !== 200) throw new Error(`Nobody can take this invitation: ${JSON.stringify(told.body)}`);
  return { userId: String(told.body["userId"]), cookie: told.cookie ?? "", ...byCookie(daemon, told.cookie ?? "") };
}

/** The key itself. */
export async function makeKey(asker: Asker, scopes: readonly Scope[], more: Record<string, unknown> = {}) {
  const told = await asker.ask("POST", "/api/v1/keys", { name: "a key", scopes, ...more });
  if (told.status !== 201) throw new Error(`No key was made: ${JSON.stringify(told.body)}`);
  const { key, secret } = told.body as {
    key: { keyId: string; userId: string; expiresAt: string | null };
    secret: string;
  };
  return { ...key, secret };
}

export function byToken(daemon: TestDaemon, token: string, headers: Record<string, string> = {}): Asker {
  return asker(daemon, { authorization: `Bearer ${token}`, ...headers });
}

export function byCookie(daemon: TestDaemon, cookie: string, headers: Record<string, string> = {}): Asker {
  return asker(daemon, { cookie: `benchtop_session=${cookie}`, origin: daemon.url, ...headers });
}

export function nobody(daemon: TestDaemon): Asker {
  return asker(daemon, {});
}

export function tokenIn(url: unknown): string {
  return new URL(String(url)).hash.replace(/^#\w+=/, "");
}

function asker(daemon: TestDaemon, proof: Record<string, string>): Asker {
  return {
    async ask(method, path, body, headers = {}) {
      const init = body === undefined ? { headers: { ...proof, ...headers } } : json(body, { ...proof, ...headers });
      const response = await daemon.fetch(path, { ...init, method, token: null });
      const answer = (await response.json()) as Record<string, unknown>;
      const error = answer["error"] as { error_code: string } | undefined;
      const cookie = /benchtop_session=([^;]+)/.exec(response.headers.getSetCookie().join())?.[1];
      return { status: response.status, code: error?.error_code ?? "ok", body: answer, cookie };
    },
  };
}
