import { scopes as allScopes, type Identity, type Permission } from "@benchtop/operations";
import type { Store } from "@benchtop/store";
import { firstWorkspaceId, operatorId, permissionsOf } from "./standing.ts";

/** The database, or a transaction of it. */
export type Database = Store["db"];

/** What a proof turned out to be worth, as the database has it at this moment. */
export type Finding =
  | { readonly found: true; readonly identity: Identity; readonly expiresAt: string | null }
  | {
      readonly found: false;
      /** `unknown`: nothing that was ever handed out. `no-workspace`: theirs, but not in the workspace that they name. */
      readonly why: "unknown" | "expired" | "revoked" | "no-workspace";
      /** The key that it was. */
      readonly keyId?: string;
      readonly workspaceId?: string;
    };

export type By = { readonly hash: string } | { readonly id: string };

/** The operator in a workspace: the first one unless they name another. */
export async function findOperator(
  db: Database,
  workspace: string | undefined,
  via: "token" | "none",
): Promise<Finding> {
  const row = await db
    .selectFrom("workspaces as w")
    .innerJoin("users as u", (join) => join.on("u.id", "=", operatorId))
    .leftJoin("memberships as m", (join) => join.onRef("m.workspace_id", "=", "w.id").on("m.user_id", "=", operatorId))
    .select(person)
    .where("w.id", "=", workspace ?? firstWorkspaceId)
    .executeTakeFirst();
  if (row === undefined) return { found: false, why: "no-workspace" };
  return { found: true, identity: identityOf(row, { via }), expiresAt: null };
}

/** The holder of an API key, in the workspace of the key. */
export async function findKey(db: Database, by: By, workspace: string | undefined): Promise<Finding> {
  const row = await db
    .selectFrom("api_keys as k")
    .innerJoin("users as u", "u.id", "k.user_id")
    .innerJoin("workspaces as w", "w.id", "k.workspace_id")
    .leftJoin("memberships as m", (join) =>
      join.onRef("m.workspace_id", "=", "w.id").onRef("m.user_id", "=", "k.user_id"),
    )
    .select(person)
    .select(["k.id as key_id", "k.scopes", "k.expires_at", "k.revoked_at"])
    .where("hash" in by ? "k.token_hash" : "k.id", "=", "hash" in by ? by.hash : by.id)
    .executeTakeFirst();
  if (row === undefined) return { found: false, why: "unknown" };
  const { key_id: keyId, workspace_id: workspaceId, expires_at: expiresAt } = row;
  const refused = (why: "revoked" | "expired" | "no-workspace"): Finding => ({
    found: false,
    why,
    keyId,
    workspaceId,
  });
  if (row.revoked_at !== null || !belongs(row)) return refused("revoked");
  if (isPast(expiresAt)) return refused("expired");
  if (workspace !== undefined && workspace !== workspaceId) return refused("no-workspace");
  const identity = identityOf(row, { via: "api-key", keyId, scopes: scopesOf(row.scopes), confined: true });
  return { found: true, identity, expiresAt };
}

/** Who signed in: in the workspace that they work in, or in another of theirs that they name. */
export async function findSignIn(db: Database, by: By, workspace: string | undefined): Promise<Finding> {
  const row = await db
    .selectFrom("sign_ins as s")
    .innerJoin("users as u", "u.id", "s.user_id")
    .leftJoin("workspaces as w", (join) =>
      workspace === undefined ? join.onRef("w.id", "=", "s.workspace_id") : join.on("w.id", "=", workspace),
    )
    .leftJoin("memberships as m", (join) =>
      join.onRef("m.workspace_id", "=", "w.id").onRef("m.user_id", "=", "s.user_id"),
    )
    .leftJoin("api_keys as k", "k.id", "s.key_id")
    .select(person)
    .select(["s.id as sign_in_id", "s.workspace_id as home", "s.expires_at", "s.key_id", "s.confined"])
    .select(["k.scopes", "k.expires_at as key_expires_at", "k.revoked_at as key_revoked_at"])
    .where("hash" in by ? "s.token_hash" : "s.id", "=", "hash" in by ? by.hash : by.id)
    .executeTakeFirst();
  if (row === undefined) return { found: false, why: "unknown" };
  if (row.key_id !== null && (row.scopes === null || row.key_revoked_at !== null))
    return { found: false, why: "revoked" };
  const expiresAt = earlier(row.expires_at, row.key_expires_at);
  if (isPast(expiresAt)) return { found: false, why: "expired" };
  const isElsewhere = workspace !== undefined && workspace !== row.home;
  const { workspace_id, workspace_name } = row;
  if (workspace_id === null || workspace_name === null || !belongs(row) || (isElsewhere && row.confined === 1)) {
    return { found: false, why: isElsewhere ? "no-workspace" : "revoked" };
  }
  const identity = identityOf(
    { ...row, workspace_id, workspace_name },
    {
      via: "sign-in",
      signInId: row.sign_in_id,
      confined: row.confined === 1,
      ...(row.key_id !== null && { keyId: row.key_id, scopes: scopesOf(row.scopes ?? "[]") }),
    },
  );
  return { found: true, identity, expiresAt };
}

/** The same identity as it stands now: nothing of what it once proved is taken for granted. */
export async function findAgain(db: Database, identity: Identity): Promise<Finding> {
  const { via, workspaceId, keyId, signInId } = identity;
  if (signInId !== null) return await findSignIn(db, { id: signInId }, workspaceId);
  if (keyId !== null) return await findKey(db, { id: keyId }, workspaceId);
  return await findOperator(db, workspaceId, via === "none" ? "none" : "token");
}

const person = [
  "u.id as user_id",
  "u.display_name",
  "u.email",
  "u.kind",
  "w.id as workspace_id",
  "w.name as workspace_name",
  "m.role",
] as const;

interface PersonRow {
  readonly user_id: string;
  readonly display_name: string;
  readonly email: string | null;
  readonly kind: Identity["kind"];
  readonly workspace_id: string;
  readonly workspace_name: string;
  readonly role: Identity["role"];
}

interface Proven {
  readonly via: Identity["via"];
  readonly keyId?: string;
  readonly signInId?: string;
  readonly scopes?: readonly Permission[];
  readonly confined?: boolean;
}

function identityOf(row: PersonRow, { via, keyId, signInId, scopes, confined }: Proven): Identity {
  return {
    userId: row.user_id,
    displayName: row.display_name,
    email: row.email,
    kind: row.kind,
    workspaceId: row.workspace_id,
    workspaceName: row.workspace_name,
    role: row.role,
    operator: row.user_id === operatorId && keyId === undefined,
    permissions: [...permissionsOf(row.user_id, row.role, scopes ?? null)],
    via,
    keyId: keyId ?? null,
    signInId: signInId ?? null,
    confined: confined ?? false,
  };
}

function belongs({ user_id, role }: { readonly user_id: string; readonly role: Identity["role"] }): boolean {
  return role !== null || user_id === operatorId;
}

function scopesOf(text: string): readonly Permission[] {
  const given = JSON.parse(text) as readonly string[];
  return allScopes.filter((scope) => given.includes(scope));
}

function isPast(time: string | null): boolean {
  return time !== null && time <= new Date().toISOString();
}

function earlier(one: string, other: string | null): string {
  return other === null || one < other ? one : other;
}
