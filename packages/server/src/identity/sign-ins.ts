import type { Identity, SignIn } from "@benchtop/operations";
import { newId } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { BrowserSession } from "../api/handler.ts";
import { recordAccess } from "./access-log.ts";
import type { AccessChanges, Caller } from "./access-changes.ts";
import { noCookie, signInCookie, signInLifetimeMs } from "./cookie.ts";
import { findSignIn, type Database } from "./lookup.ts";
import { pageOf, positionOf, type Page, type PageInput } from "./page.ts";
import type { Proof } from "./proof.ts";
import { denied, invalid, notFound } from "./refused.ts";
import { operatorId } from "./standing.ts";
import { hashToken, newToken } from "./token.ts";

/** A browser session that is to be: whose it is, where, and what limits it. */
export interface NewSignIn {
  readonly userId: string;
  readonly workspaceId: string;
  readonly method: SignIn["method"];
  /** The key that it is limited by and ends with. */
  readonly keyId: string | null;
  readonly confined: boolean;
}

/** Browsers of one person; the oldest is signed out for one more. */
const maxSignIns = 100;

/** Browser sessions: a cookie, of which only the hash is kept. */
export class SignIns {
  readonly #db: Database;
  readonly #changes: AccessChanges;

  constructor(parts: { readonly db: Database; readonly changes: AccessChanges }) {
    this.#db = parts.db;
    this.#changes = parts.changes;
  }

  /** One's own browsers, last seen first; a key or a confined session sees those alone that are limited as it is. */
  async list(identity: Identity, { cursor, limit }: PageInput): Promise<Page<SignIn>> {
    const after = positionOf(cursor, 2);
    let query = selectOwn(this.#db, identity);
    if (after !== undefined) {
      const [lastSeen, id] = after;
      query = query.where((where) =>
        where.or([
          where("s.last_seen_at", "<", lastSeen),
          where.and([where("s.last_seen_at", "=", lastSeen), where("s.id", "<", id)]),
        ]),
      );
    }
    const rows = await query
      .where("s.expires_at", ">", new Date().toISOString())
      .orderBy("s.last_seen_at", "desc")
      .orderBy("s.id", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(
      rows,
      limit,
      (row) => [row.last_seen_at, row.id],
      (row) => ({
        signInId: row.id,
        userId: row.user_id,
        userName: row.display_name,
        current: row.id === identity.signInId,
        method: row.method,
        userAgent: row.user_agent,
        address: row.address,
        createdAt: row.created_at,
        lastSeenAt: row.last_seen_at,
        expiresAt: row.expires_at,
      }),
    );
  }

  /** Signs one of one's own browsers out. Throws `NOT_FOUND`. */
  async revoke(identity: Caller, signInId: string): Promise<void> {
    await this.#changes.by(identity, "self", async (db, actor) => {
      const row = await selectOwn(db, actor).where("s.id", "=", signInId).executeTakeFirst();
      if (row === undefined) throw notFound("sign-in");
      await endSignIn(db, { ...identity, ...actor }, signInId);
    });
  }

  /** Signs this browser out; nothing for who did not come with one. */
  async end(identity: Caller, browser: BrowserSession): Promise<void> {
    const { signInId } = identity;
    if (signInId === null) return;
    await this.#changes.anywhere(async (db) => {
      await endSignIn(db, identity, signInId);
      browser.setCookie(noCookie(browser.secure));
    });
  }

  /** Works in another of one's workspaces with this browser from now on. Throws `NOT_FOUND` for one that is not theirs. */
  async switchTo(identity: Identity, workspaceId: string): Promise<Identity> {
    const { signInId } = identity;
    if (signInId === null) {
      throw invalid("Only a browser session has a workspace to change. Name one with the header Benchtop-Workspace.");
    }
    return await this.#changes.anywhere(async (db) => {
      const finding = await findSignIn(db, { id: signInId }, workspaceId);
      if (!finding.found) throw notFound("workspace");
      await db.updateTable("sign_ins").set({ workspace_id: workspaceId }).where("id", "=", signInId).execute();
      return finding.identity;
    });
  }
}

/**
 * Signs a browser in, within the transaction that proves who it is. Throws `PERMISSION_DENIED` for who has no workspace
 * any more, and `VALIDATION_FAILED` where there is no browser.
 */
export async function openSignIn(
  db: Database,
  { userId, workspaceId, method, keyId, confined }: NewSignIn,
  { address, userAgent }: Proof,
  browser: BrowserSession,
): Promise<Identity> {
  const cookie = newToken();
  const now = Date.now();
  const signInId = newId("signIn");
  await makeRoom(db, userId, new Date(now).toISOString());
  await db
    .insertInto("sign_ins")
    .values({
      token_hash: hashToken(cookie),
      id: signInId,
      user_id: userId,
      workspace_id: workspaceId,
      key_id: keyId,
      confined: confined ? 1 : 0,
      method,
      user_agent: userAgent ?? null,
      address,
      created_at: new Date(now).toISOString(),
      last_seen_at: new Date(now).toISOString(),
      expires_at: new Date(now + signInLifetimeMs).toISOString(),
    })
    .execute();
  const finding = await findSignIn(db, { id: signInId }, undefined);
  if (!finding.found) throw denied("You are no member of any workspace here. Ask for an invitation.");
  const { identity } = finding;
  await recordAccess(db, {
    event: "sign-in.succeeded",
    workspaceId,
    actorId: userId,
    subjectId: signInId,
    subjectName: identity.displayName,
    address,
    detail: { method, ...(keyId !== null && { with: keyId }) },
  });
  browser.setCookie(signInCookie(cookie, browser.secure));
  return identity;
}

/** Every browser of the operator: for when the token that let them in is replaced. Keys stay, and are listed. */
export async function signOperatorOut(store: Pick<Store, "db" | "flush">): Promise<void> {
  const { numDeletedRows } = await store.db
    .deleteFrom("sign_ins")
    .where("user_id", "=", operatorId)
    .where("key_id", "is", null)
    .executeTakeFirst();
  if (numDeletedRows > 0n) await store.flush();
}

async function makeRoom(db: Database, userId: string, now: string): Promise<void> {
  await db.deleteFrom("sign_ins").where("expires_at", "<=", now).execute();
  const beyond = await db
    .selectFrom("sign_ins")
    .select("id")
    .where("user_id", "=", userId)
    .orderBy("last_seen_at", "desc")
    .limit(1000)
    .offset(maxSignIns - 1)
    .execute();
  const ids = beyond.map(({ id }) => id);
  if (ids.length > 0) await db.deleteFrom("sign_ins").where("id", "in", ids).execute();
}

async function endSignIn(db: Database, actor: Caller, signInId: string): Promise<void> {
  await db.deleteFrom("sign_ins").where("id", "=", signInId).execute();
  await recordAccess(db, {
    event: "sign-in.ended",
    workspaceId: actor.workspaceId,
    actorId: actor.userId,
    subjectId: signInId,
    subjectName: actor.displayName,
    address: actor.address ?? null,
  });
}

function selectOwn(db: Database, { userId, keyId, confined, workspaceId }: Identity) {
  const own = db
    .selectFrom("sign_ins as s")
    .innerJoin("users as u", "u.id", "s.user_id")
    .select(["s.id", "s.user_id", "s.method", "s.user_agent", "s.address", "u.display_name"])
    .select(["s.created_at", "s.last_seen_at", "s.expires_at"])
    .where("s.user_id", "=", userId);
  if (keyId !== null) return own.where("s.key_id", "=", keyId);
  return confined ? own.where("s.confined", "=", 1).where("s.workspace_id", "=", workspaceId) : own;
}
