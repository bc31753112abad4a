import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Identity, Role } from "@benchtop/operations";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BrowserSession } from "../api/handler.ts";
import { openLog, type Log } from "../log/log.ts";
import type { Claims } from "./claims.ts";
import { FailedAttempts } from "./failed-attempts.ts";
import { Identities } from "./identities.ts";
import type { Proof } from "./proof.ts";
import { RateLimits } from "./rate-limits.ts";

let home: string;
let store: Store;
let log: Log;
let identities: Identities;
let operator: Identity;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-claims-"));
  store = await openStore({ home });
  log = openLog({ home });
  identities = new Identities({
    store,
    log,
    bootstrapToken: "bootstrap",
    rateLimits: new RateLimits(),
    failedSignIns: new FailedAttempts(),
  });
  operator = await identities.identify({ ...proof, authorization: "Bearer bootstrap" });
});
afterEach(async () => {
  await identities.close();
  await log.close();
  await store.close();
  await rm(home, { recursive: true });
});

const proof: Proof = {
  authorization: undefined,
  cookie: undefined,
  foreign: false,
  workspace: undefined,
  address: "192.0.2.1",
  userAgent: "a browser",
};
const cookies: string[] = [];
const browser: BrowserSession = {
  origin: "http://127.0.0.1:1",
  secure: false,
  cookie: () => undefined,
  setCookie: (line) => void cookies.push(line),
};
const ada: Claims = {
  issuer: "https://id.example",
  subject: "1",
  email: "ada@example.com",
  emailVerified: true,
  displayName: "Ada",
};
const signIn = (claims: Partial<Claims> = {}) =>
  identities.signInWithClaims(() => Promise.resolve({ ...ada, ...claims }), proof, browser);
const invite = async (role: Role, email?: string) =>
  (await identities.invitations.create(operator, { role, email, expiresInDays: 1 })).token;
const open = { domains: ["example.com"], workspaceId: "default", role: "viewer" } as const;
const denied = { info: { error_code: "PERMISSION_DENIED" } };
const people = () => store.db.selectFrom("users").selectAll().where("id", "!=", "owner").execute();

test("P1.4 an invitation to an address lets in whose provider vouches for it, once, and them alone", async () => {
  await invite("editor", "ada@example.com");
  await expect(signIn({ emailVerified: false })).rejects.toMatchObject(denied);
  await expect(signIn({ email: "eve@example.com" })).rejects.toMatchObject(denied);
  await expect(signIn({ email: null })).rejects.toMatchObject(denied);
  const identity = await signIn({ email: " Ada@Example.com" });
  expect(identity).toMatchObject({ role: "editor", displayName: "Ada", email: "ada@example.com", via: "sign-in" });
  await expect(signIn({ subject: "2" })).rejects.toMatchObject(denied);
  expect(await people()).toHaveLength(1);
});

test("P1.4 who came once is known by issuer and subject, whatever their address became", async () => {
  await invite("viewer", "ada@example.com");
  const { userId } = await signIn();
  const again = await signIn({ email: "ada@elsewhere.example", displayName: null });
  expect(again).toMatchObject({ userId, email: "ada@elsewhere.example", displayName: "Ada" });
  // The address belongs to somebody else now; so does the same subject of another issuer.
  await expect(signIn({ subject: "2" })).rejects.toMatchObject(denied);
  await expect(signIn({ issuer: "https://evil.example" })).rejects.toMatchObject(denied);
});

test("P1.4 a link's invitation lets a person of the provider in, unless it names another address", async () => {
  const token = await invite("viewer");
  expect(await signIn({ email: null, displayName: " ", invitation: token })).toMatchObject({ displayName: "Somebody" });
  await expect(signIn({ subject: "2", invitation: token })).rejects.toMatchObject({
    info: { error_code: "AUTH_REQUIRED" },
  });
  const named = await invite("viewer", "bob@example.com");
  await expect(signIn({ subject: "3", invitation: named })).rejects.toMatchObject(denied);
  expect(await signIn({ subject: "4", email: "bob@example.com", invitation: named })).toMatchObject({ role: "viewer" });
});

test("P1.4 a domain that is open lets new people in, and nobody back who was removed", async () => {
  await expect(signIn({ open: { ...open, domains: ["other.example"] } })).rejects.toMatchObject(denied);
  await expect(signIn({ emailVerified: false, open })).rejects.toMatchObject(denied);
  await expect(signIn({ email: "ada@evil-example.com", open })).rejects.toMatchObject(denied);
  await expect(signIn({ email: "ada@sub.example.com", open })).rejects.toMatchObject(denied);
  const identity = await signIn({ open });
  expect(identity).toMatchObject({ role: "viewer", workspaceId: "default" });
  await identities.members.remove(operator, identity.userId);
  await expect(signIn({ open })).rejects.toMatchObject(denied);
  await invite("viewer", "ada@example.com");
  expect(await signIn({ open })).toMatchObject({ userId: identity.userId });
});

test("P1.4 an invitation raises a member and never lowers one", async () => {
  await invite("editor", "ada@example.com");
  expect(await signIn()).toMatchObject({ role: "editor" });
  await invite("viewer", "ada@example.com");
  expect(await signIn()).toMatchObject({ role: "editor" });
  const token = await invite("admin");
  expect(await signIn({ invitation: token })).toMatchObject({ role: "admin" });
});

test("P1.4 a person who comes twice at the same time is one person", async () => {
  const token = await invite("viewer");
  const both = await Promise.allSettled([signIn({ invitation: token, open }), signIn({ open })]);
  expect(both.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
  expect(await people()).toHaveLength(1);
});

test("P1.4 whoever proved an address takes an invitation to it with their session; others do not", async () => {
  await signIn({ open });
  const cookie = /benchtop_session=([^;]+)/.exec(cookies.at(-1) ?? "")?.[1];
  const { workspaceId } = await identities.workspaces.create(operator, "second");
  const inSecond = await identities.identify({ ...proof, authorization: "Bearer bootstrap", workspace: workspaceId });
  const make = async (email: string) =>
    (await identities.invitations.create(inSecond, { role: "viewer", email, expiresInDays: 1 })).token;
  const accept = async (token: string) => await identities.acceptInvitation({ token }, { ...proof, cookie }, browser);
  await expect(accept(await make("bob@example.com"))).rejects.toMatchObject(denied);
  expect(await accept(await make("ada@example.com"))).toMatchObject({ workspaceId, role: "viewer" });
});
