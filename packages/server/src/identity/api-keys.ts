import type { ApiKey, Identity, Role, Scope } from "@benchtop/operations";
import { newId } from "@benchtop/protocol";
import type { AccessChanges, Caller, RecordAccess } from "./access-changes.ts";
import { endKeys } from "./endings.ts";
import type { Database } from "./lookup.ts";
import { addMember, beyondYou, memberOf } from "./members.ts";
import { pageOf, positionOf, type Page, type PageInput } from "./page.ts";
import { denied, invalid, notFound } from "./refused.ts";
import { mayDecideAbout, mayGrant, operatorId } from "./standing.ts";
import { hashToken, newApiKey, prefixOf } from "./token.ts";

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Null for one that does not expire. */
  readonly expiresInDays: number | null;
  readonly service?: { readonly role: Role } | undefined;
}

const dayMs = 24 * 60 * 60_000;
/** Keys that work at the same time, of one holder in one workspace. */
const maxKeys = 500;

/**
 * API keys: of a person, or of a program of the team's that is a user of its own (a service token). A key names one
 * workspace. It never does more than its scopes, than its holder may at the moment of use, or than its maker could when
 * it was made; a key that another key made ends with that one at the latest.
 */
export class ApiKeys {
  readonly #db: Database;
  readonly #changes: AccessChanges;

  constructor(parts: { readonly db: Database; readonly changes: AccessChanges }) {
    this.#db = parts.db;
    this.#changes = parts.changes;
  }

  /** One's own; everybody's for who may change members. Newest first. */
  async list(identity: Caller, { cursor, limit }: PageInput): Promise<Page<ApiKey>> {
    const after = positionOf(cursor, 1);
    let query = selectKeys(this.#db, identity.workspaceId);
    if (!identity.permissions.includes("members:write")) query = query.where("k.user_id", "=", identity.userId);
    if (after !== undefined) query = query.where("k.id", "<", after[0]);
    const rows = await query
      .orderBy("k.id", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, (row) => [row.id], toApiKey);
  }

  /** The key itself is told this once. Throws `PERMISSION_DENIED` for a scope or a role that the caller does not hold. */
  async create(identity: Caller, input: NewKey): Promise<{ readonly key: ApiKey; readonly secret: string }> {
    return await this.#changes.by(identity, "keys:write", async (db, actor, record) => {
      const missing = input.scopes.filter((scope) => !actor.permissions.includes(scope));
      if (missing.length > 0) {
        throw denied("A key cannot do what you may not do at this moment.", { scopes: missing.join(" ") });
      }
      const userId =
        input.service === undefined
          ? actor.userId
          : await addService(db, actor, record, { name: input.name, role: input.service.role });
      await checkCount(db, actor.workspaceId, userId);
      const secret = newApiKey();
      const keyId = newId("apiKey");
      await db
        .insertInto("api_keys")
        .values({
          id: keyId,
          workspace_id: actor.workspaceId,
          user_id: userId,
          name: input.name,
          prefix: prefixOf(secret),
          token_hash: hashToken(secret),
          scopes: JSON.stringify([...new Set(input.scopes)]),
          created_by: actor.userId,
          parent_key_id: actor.keyId,
          created_at: new Date().toISOString(),
          expires_at: await expiryOf(db, actor, input.expiresInDays),
          revoked_at: null,
          last_used_at: null,
        })
        .execute();
      await record({
        event: "key.created",
        subjectId: keyId,
        subjectName: input.name,
        detail: { scopes: input.scopes.join(" "), ...(actor.keyId !== null && { with: actor.keyId }) },
      });
      return { key: toApiKey(await keyOf(db, actor.workspaceId, keyId)), secret };
    });
  }

  /**
   * At once, with what was made with it: keys, browser sessions, open invitations. Other people's keys need
   * `members:write` and a standing that is not below theirs; to everybody else they do not exist (`NOT_FOUND`).
   */
  async revoke(identity: Caller, keyId: string): Promise<void> {
    await this.#changes.by(identity, "keys:write", async (db, actor, record) => {
      const row = await keyOf(db, actor.workspaceId, keyId);
      const isOwn = row.user_id === actor.userId;
      if (!isOwn && !actor.permissions.includes("members:write")) throw notFound("key");
      if (row.revoked_at !== null) return;
      if (!isOwn) {
        if (row.user_id === operatorId) throw denied("The holder of this key stands above you.");
        const holder = await memberOf(db, actor.workspaceId, row.user_id);
        if (!mayDecideAbout(actor, holder.role)) throw denied("The holder of this key stands above you.");
      }
      const ended = await endKeys(db, [keyId]);
      await record({
        event: "key.revoked",
        subjectId: keyId,
        subjectName: row.name,
        ...(ended.length > 1 && { detail: { "made-with-it": ended.slice(1).join(" ").slice(0, 1000) } }),
      });
    });
  }
}

/** A program of the team's: a user without a person, who outlasts whoever made it. */
async function addService(
  db: Database,
  actor: Identity,
  record: RecordAccess,
  { name, role }: { readonly name: string; readonly role: Role },
): Promise<string> {
  if (!actor.permissions.includes("members:write")) throw denied("A service token needs the permission members:write.");
  if (!mayGrant(actor, role)) throw beyondYou(role);
  const userId = newId("user");
  const user = { id: userId, kind: "service", display_name: name, email: null } as const;
  await db
    .insertInto("users")
    .values({
      ...user,
      oidc_issuer: null,
      oidc_subject: null,
      created_at: new Date().toISOString(),
      last_seen_at: null,
    })
    .execute();
  await addMember(db, { workspaceId: actor.workspaceId, userId, role });
  await record({
    event: "member.added",
    subjectId: userId,
    subjectName: name,
    detail: { role, kind: "service" },
  });
  return userId;
}

async function checkCount(db: Database, workspaceId: string, userId: string): Promise<void> {
  const { count } = await db
    .selectFrom("api_keys")
    .select(({ fn }) => fn.countAll<number | string>().as("count"))
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "=", userId)
    .where("revoked_at", "is", null)
    .where((where) => where.or([where("expires_at", "is", null), where("expires_at", ">", new Date().toISOString())]))
    .executeTakeFirstOrThrow();
  if (Number(count) >= maxKeys) throw invalid(`There are ${maxKeys} keys already. Revoke some first.`);
}

/** Not later than that of the key that makes it. */
export async function expiryOf(db: Database, actor: Identity, days: number | null): Promise<string | null> {
  const wanted = days === null ? null : new Date(Date.now() + days * dayMs).toISOString();
  if (actor.keyId === null) return wanted;
  const maker = await db
    .selectFrom("api_keys")
    .select("expires_at")
    .where("id", "=", actor.keyId)
    .executeTakeFirstOrThrow();
  if (maker.expires_at === null) return wanted;
  return wanted === null || wanted > maker.expires_at ? maker.expires_at : wanted;
}

async function keyOf(db: Database, workspaceId: string, keyId: string) {
  const row = await selectKeys(db, workspaceId).where("k.id", "=", keyId).executeTakeFirst();
  if (row === undefined) throw notFound("key");
  return row;
}

function selectKeys(db: Database, workspaceId: string) {
  return db
    .selectFrom("api_keys as k")
    .innerJoin("users as u", "u.id", "k.user_id")
    .select(["k.id", "k.name", "k.prefix", "k.user_id", "k.scopes"])
    .select(["k.created_at", "k.expires_at", "k.revoked_at", "k.last_used_at", "u.display_name", "u.kind"])
    .where("k.workspace_id", "=", workspaceId);
}

function toApiKey(row: Awaited<ReturnType<typeof keyOf>>): ApiKey {
  const isExpired = row.expires_at !== null && row.expires_at <= new Date().toISOString();
  return {
    keyId: row.id,
    name: row.name,
    prefix: row.prefix,
    userId: row.user_id,
    userName: row.display_name,
    kind: row.kind,
    scopes: JSON.parse(row.scopes) as Scope[],
    status: row.revoked_at !== null ? "revoked" : isExpired ? "expired" : "active",
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  };
}
