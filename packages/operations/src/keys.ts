import { z } from "zod";
import { operation } from "./define.ts";
import { Scope, RoleName } from "./identity.ts";
import { ExpiresInDays, Id, Name } from "./identity-fields.ts";
import { Empty, page, pageInput } from "./pagination.ts";
import { scopes } from "./permissions.ts";

export const ApiKey = z.object({
  keyId: z.string(),
  name: z.string(),
  /** The first characters of the key, to tell it from others. */
  prefix: z.string(),
  userId: z.string(),
  userName: z.string(),
  kind: z.enum(["person", "service"]),
  scopes: z.array(Scope),
  status: z.enum(["active", "expired", "revoked"]),
  createdAt: z.string(),
  /** Null for one that does not expire. */
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
});
export type ApiKey = z.infer<typeof ApiKey>;

export const accessEvents = [
  "sign-in.succeeded",
  "sign-in.failed",
  "sign-in.ended",
  "link.created",
  "key.created",
  "key.revoked",
  "token.refused",
  "member.added",
  "member.removed",
  "member.role-changed",
  "invitation.created",
  "invitation.revoked",
  "workspace.created",
  "workspace.renamed",
  "workspace.deleted",
  "egress.approved",
  "egress.revoked",
] as const;
export type AccessEventName = (typeof accessEvents)[number];

/** One line of the audit of access. Holds no secret, and no text of a request. */
export const AccessEvent = z.object({
  id: z.string(),
  at: z.string(),
  event: z.enum(accessEvents),
  /** Who did it; null when nobody was identified. */
  actorId: z.string().nullable(),
  actorName: z.string().nullable(),
  /** Who or what it was done to: a user, a key, an invitation. */
  subjectId: z.string().nullable(),
  subjectName: z.string().nullable(),
  address: z.string().nullable(),
  detail: z.record(z.string(), z.string()),
});
export type AccessEvent = z.infer<typeof AccessEvent>;

export const keyOperations = {
  "keys.list": operation({
    id: "keys.list",
    rpc: "KeysList",
    method: "GET",
    path: "/api/v1/keys",
    permission: "keys:write",
    summary:
      "Your API keys in this workspace; everybody's with members:write. Newest first, never the keys themselves.",
    input: z.object(pageInput),
    output: page(ApiKey),
    errors: [],
  }),
  "keys.create": operation({
    id: "keys.create",
    rpc: "KeysCreate",
    method: "POST",
    path: "/api/v1/keys",
    permission: "keys:write",
    status: 201,
    shownOnce: true,
    summary: "Make an API key of your own, or a service token with a role of its own (members:write). Shown once.",
    input: z.object({
      name: Name,
      /** What it is limited to. */
      scopes: z.array(Scope).min(1).max(scopes.length),
      /** Null for one that does not expire. */
      expiresInDays: ExpiresInDays.nullable().default(90),
      /** A program of the team's gets an identity of its own, which outlasts the person who made it. */
      service: z.object({ role: RoleName }).optional(),
    }),
    output: z.object({ key: ApiKey, secret: z.string() }),
    errors: ["PERMISSION_DENIED"],
  }),
  "keys.revoke": operation({
    id: "keys.revoke",
    rpc: "KeysRevoke",
    method: "DELETE",
    path: "/api/v1/keys/{keyId}",
    permission: "keys:write",
    summary: "Revoke a key at once, with the browser sessions that it opened. Other people's need members:write.",
    input: z.object({ keyId: Id }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "audit.list": operation({
    id: "audit.list",
    rpc: "AuditList",
    method: "GET",
    path: "/api/v1/audit",
    permission: "audit:read",
    summary: "Who signed in or tried to, and what became of keys, members and workspaces. Newest first.",
    input: z.object({
      ...pageInput,
      event: z.enum(accessEvents).optional(),
      userId: Id.optional(),
    }),
    output: page(AccessEvent),
    errors: [],
  }),
} as const;
