import type { Identity, Role } from "@benchtop/operations";
import { isUniqueViolation } from "@benchtop/store";
import type { BrowserSession } from "../api/handler.ts";
import type { AccessChanges } from "./access-changes.ts";
import { recordAccess } from "./access-log.ts";
import { addPerson, findOpenInvitation, notOpen, takeInvitation, type OpenInvitation } from "./invitations.ts";
import type { Database } from "./lookup.ts";
import { addMember } from "./members.ts";
import type { Proof } from "./proof.ts";
import { denied } from "./refused.ts";
import { openSignIn } from "./sign-ins.ts";
import { higher } from "./standing.ts";

/** What an identity provider says of somebody, after its signature was checked. */
export interface Claims {
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly displayName: string | null;
  /** The token of an invitation that they came with. */
  readonly invitation?: string | undefined;
  /** Who may come in without an invitation, as the operator has configured it. */
  readonly open?: OpenTo | undefined;
}

/** People whose verified address is in one of these domains become members when they come for the first time. */
export interface OpenTo {
  /** Lower case, without `@`. */
  readonly domains: readonly string[];
  readonly workspaceId: string;
  readonly role: Exclude<Role, "owner">;
}

/**
 * Signs a browser in as the person of an identity provider: known by issuer and subject alone, never by an address, which
 * may be given to somebody else. A person who is new, or in no workspace any more, needs an invitation: one whose token
 * they bring, or one to their verified address. Throws `PERMISSION_DENIED` without, `AUTH_REQUIRED` for one that is not open.
 */
export async function signInWithClaims(
  changes: AccessChanges,
  claims: Claims,
  proof: Proof,
  browser: BrowserSession,
): Promise<Identity> {
  const signIn = (): Promise<Identity> => changes.anywhere((db) => enterOrReturn(db, changes, claims, proof, browser));
  try {
    return await signIn();
  } catch (thrown) {
    // The same person came twice at once, and the other was first.
    if (isUniqueViolation(thrown)) return await signIn();
    throw thrown;
  }
}

async function enterOrReturn(
  db: Database,
  changes: AccessChanges,
  claims: Claims,
  proof: Proof,
  browser: BrowserSession,
): Promise<Identity> {
  const email = verifiedEmail(claims);
  const known = await findPerson(db, claims);
  const invitation = await invitationFor(db, claims, email);
  // Two who take the same invitation at once wait for each other here.
  if (invitation !== undefined) await changes.lock(db, invitation.workspaceId);
  const mayEnter = invitation === undefined && known === undefined && isOpenTo(claims.open, email);
  if (known === undefined && invitation === undefined && !mayEnter) throw askForInvitation();

  const userId = known ?? (await addPerson(db, personOf(claims, email)));
  if (known !== undefined) await refresh(db, known, claims, email);
  const home =
    (invitation && (await join(db, invitation, userId, proof.address))) ??
    (mayEnter && claims.open ? await enter(db, claims.open, userId, proof.address) : undefined) ??
    (await lastWorkspaceOf(db, userId));
  if (home === undefined) throw askForInvitation();
  return await openSignIn(
    db,
    { userId, workspaceId: home, method: "oidc", keyId: null, confined: false },
    proof,
    browser,
  );
}

function verifiedEmail({ email, emailVerified }: Claims): string | null {
  return email !== null && emailVerified ? email.trim().toLowerCase() : null;
}

async function findPerson(db: Database, { issuer, subject }: Claims): Promise<string | undefined> {
  const row = await db
    .selectFrom("users")
    .select("id")
    .where("oidc_issuer", "=", issuer)
    .where("oidc_subject", "=", subject)
    .executeTakeFirst();
  return row?.id;
}

/** A token goes before an address. One that names an address is for that address alone. */
async function invitationFor(
  db: Database,
  { invitation: token }: Claims,
  email: string | null,
): Promise<OpenInvitation | undefined> {
  if (token === undefined) return email === null ? undefined : await findOpenInvitation(db, { email });
  const invitation = await findOpenInvitation(db, { token });
  if (invitation === undefined) throw notOpen();
  if (invitation.email !== null && invitation.email !== email) {
    throw denied("This invitation names another address than the one that your identity provider vouches for.");
  }
  return invitation;
}

/** Members of old who come by an invitation to where they are already just go there. */
async function join(db: Database, invitation: OpenInvitation, userId: string, address: string): Promise<string> {
  const member = await db
    .selectFrom("memberships")
    .select("role")
    .where("workspace_id", "=", invitation.workspaceId)
    .where("user_id", "=", userId)
    .executeTakeFirst();
  if (member === undefined || higher(member.role, invitation.role) !== member.role)
    await takeInvitation(db, invitation, userId, address);
  return invitation.workspaceId;
}

/** New people only: whoever was removed once is not let in again by their domain. */
function isOpenTo(open: OpenTo | undefined, email: string | null): boolean {
  const domain = email?.slice(email.lastIndexOf("@") + 1);
  return domain !== undefined && (open?.domains.includes(domain) ?? false);
}

async function enter(db: Database, { workspaceId, role }: OpenTo, userId: string, address: string): Promise<string> {
  await addMember(db, { workspaceId, userId, role });
  await recordAccess(db, {
    event: "member.added",
    workspaceId,
    actorId: userId,
    subjectId: userId,
    address,
    detail: { role, by: "domain" },
  });
  return workspaceId;
}

/** Where they worked last, if they still belong there; else where they have belonged the longest. */
async function lastWorkspaceOf(db: Database, userId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("memberships as m")
    .innerJoin("workspaces as w", "w.id", "m.workspace_id")
    .leftJoin("sign_ins as s", (join) =>
      join.onRef("s.workspace_id", "=", "m.workspace_id").onRef("s.user_id", "=", "m.user_id"),
    )
    .select("m.workspace_id")
    .where("m.user_id", "=", userId)
    .orderBy((order) => order.fn.coalesce("s.last_seen_at", order.val("")), "desc")
    .orderBy("m.created_at")
    .executeTakeFirst();
  return row?.workspace_id;
}

async function refresh(db: Database, userId: string, claims: Claims, email: string | null): Promise<void> {
  const displayName = nameOf(claims);
  const names = { email, ...(displayName !== undefined && { display_name: displayName }) };
  await db.updateTable("users").set(names).where("id", "=", userId).execute();
}

function personOf(claims: Claims, email: string | null) {
  const { issuer, subject } = claims;
  return { displayName: nameOf(claims) ?? email ?? "Somebody", email, oidc: { issuer, subject } };
}

function nameOf({ displayName }: Claims): string | undefined {
  const name = displayName
    ?.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "")
    .trim()
    .slice(0, 100);
  return name === "" ? undefined : name;
}

function askForInvitation(): Error {
  return denied("You are no member of any workspace here. Ask for an invitation.");
}
