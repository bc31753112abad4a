import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { rolePermissions, scopes, type Permission } from "@benchtop/operations";
import { json, type TestDaemon } from "../test-daemon.ts";
import type { Belongings } from "../example-inputs.ts";

/** A word that stands in everything a workspace holds, so that an answer which holds it has leaked. */
export type Seeded = Belongings & {
  readonly marker: string;
  /** Keys with every scope, by the role of their holder. */
  readonly keys: {
    readonly owner: string;
    readonly viewer: string;
    readonly expired: string;
    readonly revoked: string;
  };
  /** Browsers that are signed in. */
  readonly cookies: { readonly owner: string; readonly viewer: string; readonly ended: string };
  /** A key of an owner with every scope but one, by the one. */
  readonly without: ReadonlyMap<string, string>;
};

/** Fills a workspace with one of each thing, through the API alone; only time is turned forward in the database. */
export async function seed(
  daemon: TestDaemon,
  marker: string,
  modelUrl: string,
  expire: (home: string, keyId: string) => void = expireInFile,
): Promise<Seeded> {
  const inDefault = asker(daemon, {});
  const { workspaceId } = (await inDefault("POST", "/api/v1/workspaces", { name: marker })) as Seeded;
  const asOperator = asker(daemon, { "benchtop-workspace": workspaceId });
  const owner = await member(daemon, asOperator, "owner", `${marker}-owner`);
  const viewer = await member(daemon, asOperator, "viewer", `${marker}-viewer`);
  const things = await makeThings(daemon, asOperator, { marker, workspaceId, modelUrl });
  const { invitation } = (await asOperator("POST", "/api/v1/invitations", { role: "viewer" })) as Invited;

  const ownerKey = await makeKey(owner.ask, `${marker}-key`, rolePermissions.owner);
  const viewerKey = await makeKey(viewer.ask, `${marker}-viewer-key`, rolePermissions.viewer);
  const expired = await makeKey(owner.ask, `${marker}-expired`, rolePermissions.owner);
  const revoked = await makeKey(owner.ask, `${marker}-revoked`, rolePermissions.owner);
  await owner.ask("DELETE", `/api/v1/keys/${revoked.key.keyId}`);
  expire(daemon.home, expired.key.keyId);
  const without = new Map<string, string>();
  for (const scope of scopes) {
    const others = scopes.filter((each) => each !== scope);
    without.set(scope, (await makeKey(asOperator, `${marker}-without-${scope}`, others)).secret);
  }
  const ended = await member(daemon, asOperator, "viewer", `${marker}-gone`);
  await ended.ask("DELETE", "/api/v1/sign-in");
  const signIns = (await owner.ask("GET", "/api/v1/sign-ins")) as { items: { signInId: string }[] };
  return {
    ...things,
    marker,
    workspaceId,
    memberId: viewer.userId,
    keyId: ownerKey.key.keyId,
    invitationId: invitation.invitationId,
    signInId: signIns.items[0]?.signInId ?? "",
    keys: { owner: ownerKey.secret, viewer: viewerKey.secret, expired: expired.secret, revoked: revoked.secret },
    cookies: { owner: owner.cookie, viewer: viewer.cookie, ended: ended.cookie },
    without,
  };
}

interface Invited {
  readonly invitation: { readonly invitationId: string };
  readonly url: string;
}

async function makeThings(
  daemon: TestDaemon,
  ask: Ask,
  { marker, workspaceId, modelUrl }: { marker: string; workspaceId: string; modelUrl: string },
) {
  const provider = `${marker}-loop`;
  const model = `${provider}/gpt-5.2`;
  await ask("POST", "/api/v1/providers", { name: provider, kind: "openai-chat", baseUrl: modelUrl, local: true });
  const created = await ask("POST", "/api/v1/workbenches", { name: `${marker}-bench` });
  const { workbenchId, sessionId } = created as Seeded;
  const uploaded = await daemon.fetch("/api/v1/uploads", {
    method: "PUT",
    body: `the secret of ${marker}`,
    headers: { "benchtop-workspace": workspaceId },
  });
  const { sha256 } = (await uploaded.json()) as Seeded;
  const files = `/api/v1/workbenches/${workbenchId}`;
  await ask("POST", `${files}/files`, { uploads: [{ path: "notes.txt", sha256 }] });
  const { checkpointId } = (await ask("POST", `${files}/checkpoints`, {})) as Seeded;
  const { runId } = (await ask("POST", "/api/v1/runs", { model, prompt: `${marker} asks` })) as Seeded;
  const cases = [{ id: "one", input: "Paris", expected: "Paris" }];
  const suite = {
    name: `${marker}-suite`,
    models: [model],
    prompt: "{{input}}",
    evaluators: [{ type: "exact" }],
    cases,
  };
  const { runId: evalRunId } = (await ask("POST", "/api/v1/evals", { suite })) as Seeded;
  await settled(ask, runId);
  await settled(ask, evalRunId);
  await ask("POST", `/api/v1/runs/${runId}/checkpoints`, { seq: 0, name: "start" });
  return { provider, workbenchId, sessionId, sha256, checkpointId, runId, evalRunId };
}

async function makeKey(ask: Ask, name: string, permissions: readonly Permission[]) {
  const granted = scopes.filter((scope) => permissions.includes(scope));
  return (await ask("POST", "/api/v1/keys", { name, scopes: granted })) as {
    readonly key: { readonly keyId: string };
    readonly secret: string;
  };
}

function asker(daemon: TestDaemon, headers: Record<string, string>, token: string | null = daemon.token) {
  return async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? { method, headers } : { ...json(body, headers), method };
    const response = await daemon.fetch(path, { ...init, token });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
}
type Ask = ReturnType<typeof asker>;

/** A new person takes an invitation, and is signed in by that. */
async function member(daemon: TestDaemon, ask: Ask, role: string, displayName: string) {
  const { url } = (await ask("POST", "/api/v1/invitations", { role })) as Invited;
  const token = new URL(url).hash.replace(/^#\w+=/, "");
  const accepted = await daemon.fetch("/api/v1/invitations/accept", { ...json({ token, displayName }), token: null });
  const { userId } = (await accepted.json()) as { userId: string };
  const cookie = /benchtop_session=([^;]+)/.exec(accepted.headers.getSetCookie().join())?.[1] ?? "";
  const headers = { cookie: `benchtop_session=${cookie}`, origin: daemon.url };
  return { userId, cookie, ask: asker(daemon, headers, null) };
}

async function settled(ask: Ask, runId: string): Promise<void> {
  for (;;) {
    const { status } = (await ask("GET", `/api/v1/runs/${runId}`)) as { status: string };
    if (status !== "pending") return;
    await sleep(20);
  }
}

function expireInFile(home: string, keyId: string): void {
  using database = new DatabaseSync(join(home, "ops.db"));
  database.exec("PRAGMA busy_timeout = 5000");
  database.prepare("UPDATE api_keys SET expires_at = '2020-01-01T00:00:00.000Z' WHERE id = ?").run(keyId);
}
