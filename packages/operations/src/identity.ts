import { z } from "zod";
import { operation } from "./define.ts";
import { Email, ExpiresInDays, Id, Name, Secret } from "./identity-fields.ts";
import { Empty, page, pageInput } from "./pagination.ts";
import { permissions, roles, scopes } from "./permissions.ts";

export const RoleName = z.enum(roles);
/** A permission that an API key is limited to. */
export const Scope = z.enum(scopes as [(typeof scopes)[number], ...(typeof scopes)[number][]]);
export type Scope = z.infer<typeof Scope>;

/** Who a request is made by, in which workspace, and what they may do there. */
export const Identity = z.object({
  userId: z.string(),
  displayName: z.string(),
  email: z.string().nullable(),
  /** `service`: a program of the team's, without a person. */
  kind: z.enum(["person", "service"]),
  workspaceId: z.string(),
  workspaceName: z.string(),
  /** Null for the operator in a workspace that they are no member of. */
  role: RoleName.nullable(),
  /** The holder of the bootstrap token: may do everything, in every workspace. */
  operator: z.boolean(),
  permissions: z.array(z.enum(permissions)),
  /** `none`: this daemon asks nobody who they are (`auth` of its configuration). */
  via: z.enum(["token", "sign-in", "api-key", "none"]),
  /** The API key, or the one that this browser signed in with. */
  keyId: z.string().nullable(),
  signInId: z.string().nullable(),
  /** Good in this workspace alone, whatever others the person has: a key, its browser session, a link from a colleague. */
  confined: z.boolean(),
});
export type Identity = z.infer<typeof Identity>;

export const Workspace = z.object({
  workspaceId: z.string(),
  name: z.string(),
  /** The caller's own; null for the operator where they are no member. */
  role: RoleName.nullable(),
  members: z.int(),
  workbenches: z.int(),
  createdAt: z.string(),
});
export type Workspace = z.infer<typeof Workspace>;

export const Member = z.object({
  userId: z.string(),
  displayName: z.string(),
  email: z.string().nullable(),
  kind: z.enum(["person", "service"]),
  role: RoleName,
  /** Signs in with the team's identity provider. */
  oidc: z.boolean(),
  createdAt: z.string(),
  lastSeenAt: z.string().nullable(),
});
export type Member = z.infer<typeof Member>;

export const Invitation = z.object({
  invitationId: z.string(),
  /** Whoever signs in with this address takes it; without one, whoever has the link. */
  email: z.string().nullable(),
  role: RoleName,
  invitedBy: z.string(),
  status: z.enum(["open", "accepted", "revoked", "expired"]),
  createdAt: z.string(),
  expiresAt: z.string(),
});
export type Invitation = z.infer<typeof Invitation>;

export const SignIn = z.object({
  signInId: z.string(),
  userId: z.string(),
  userName: z.string(),
  /** The browser that this request came with. */
  current: z.boolean(),
  method: z.enum(["token", "link", "invitation", "oidc", "api-key"]),
  userAgent: z.string().nullable(),
  address: z.string().nullable(),
  createdAt: z.string(),
  lastSeenAt: z.string(),
  expiresAt: z.string(),
});
export type SignIn = z.infer<typeof SignIn>;

export const identityOperations = {
  "signIn.methods": operation({
    id: "signIn.methods",
    rpc: "SignInMethods",
    method: "GET",
    path: "/api/v1/sign-in/methods",
    permission: "public",
    summary: "How a person can sign in here, beside a token.",
    input: Empty,
    output: z.object({ oidc: z.array(z.object({ name: z.string(), displayName: z.string() })) }),
    errors: [],
  }),
  "signIn.create": operation({
    id: "signIn.create",
    rpc: "SignInCreate",
    method: "POST",
    path: "/api/v1/sign-in",
    permission: "public",
    summary:
      "Exchange the bootstrap token, a link's token or an API key for a browser session (HttpOnly, SameSite=Strict cookie).",
    input: z.object({ token: Secret }),
    output: Identity,
    errors: ["AUTH_REQUIRED", "RATE_LIMITED"],
  }),
  "signIn.startOidc": operation({
    id: "signIn.startOidc",
    rpc: "SignInStartOidc",
    method: "POST",
    path: "/api/v1/sign-in/oidc/{name}",
    permission: "public",
    summary:
      "The address of an identity provider to send this browser to. It comes back to the console's /sign-in/oidc.",
    input: z.object({ name: Id, invitation: Secret.optional() }),
    output: z.object({ url: z.string() }),
    errors: ["NOT_FOUND", "NETWORK_UNAVAILABLE", "PROVIDER_UNAVAILABLE", "EGRESS_BLOCKED_BY_POLICY", "RATE_LIMITED"],
  }),
  "signIn.finishOidc": operation({
    id: "signIn.finishOidc",
    rpc: "SignInFinishOidc",
    method: "POST",
    path: "/api/v1/sign-in/oidc",
    permission: "public",
    summary:
      "Finish the sign-in that this browser started: the parameters with which the identity provider sent it back.",
    input: z.object({ parameters: z.string().min(1).max(8000) }),
    output: Identity,
    errors: ["AUTH_REQUIRED", "PERMISSION_DENIED", "NETWORK_UNAVAILABLE", "PROVIDER_UNAVAILABLE", "RATE_LIMITED"],
  }),
  "signIn.createLink": operation({
    id: "signIn.createLink",
    rpc: "SignInCreateLink",
    method: "POST",
    path: "/api/v1/sign-in/links",
    permission: "self",
    status: 201,
    shownOnce: true,
    summary: "A console address that signs one browser in as you: good once, for ten minutes.",
    input: Empty,
    /** The token is in the fragment (`/#token=…`), which no browser sends and no log keeps; the console posts it to signIn.create. */
    output: z.object({ url: z.string(), expiresAt: z.string() }),
    errors: ["PERMISSION_DENIED"],
  }),
  "signIn.end": operation({
    id: "signIn.end",
    rpc: "SignInEnd",
    method: "DELETE",
    path: "/api/v1/sign-in",
    permission: "self",
    summary: "End this browser session.",
    input: Empty,
    output: Empty,
    errors: [],
  }),
  "signIns.list": operation({
    id: "signIns.list",
    rpc: "SignInsList",
    method: "GET",
    path: "/api/v1/sign-ins",
    permission: "self",
    summary: "Browsers that are signed in as you, last seen first.",
    input: z.object(pageInput),
    output: page(SignIn),
    errors: [],
  }),
  "signIns.revoke": operation({
    id: "signIns.revoke",
    rpc: "SignInsRevoke",
    method: "DELETE",
    path: "/api/v1/sign-ins/{signInId}",
    permission: "self",
    summary: "Sign one of your browsers out.",
    input: z.object({ signInId: Id }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "identity.whoami": operation({
    id: "identity.whoami",
    rpc: "IdentityWhoami",
    method: "GET",
    path: "/api/v1/whoami",
    permission: "self",
    summary: "Who this token or session is, in which workspace, and what it may do.",
    input: Empty,
    output: Identity,
    errors: [],
  }),
  "workspaces.list": operation({
    id: "workspaces.list",
    rpc: "WorkspacesList",
    method: "GET",
    path: "/api/v1/workspaces",
    permission: "self",
    summary: "Workspaces that you are a member of; all of them for the operator.",
    input: z.object(pageInput),
    output: page(Workspace),
    errors: [],
  }),
  "workspaces.create": operation({
    id: "workspaces.create",
    rpc: "WorkspacesCreate",
    method: "POST",
    path: "/api/v1/workspaces",
    permission: "installation:write",
    status: 201,
    summary: "Create a workspace: an organisation with its own members, workbenches, runs, providers and keys.",
    input: z.object({ name: Name }),
    output: Workspace,
    errors: [],
  }),
  "workspaces.rename": operation({
    id: "workspaces.rename",
    rpc: "WorkspacesRename",
    method: "PATCH",
    path: "/api/v1/workspace",
    permission: "workspace:write",
    summary: "Rename the workspace that you are in.",
    input: z.object({ name: Name }),
    output: Workspace,
    errors: [],
  }),
  "workspaces.delete": operation({
    id: "workspaces.delete",
    rpc: "WorkspacesDelete",
    method: "DELETE",
    path: "/api/v1/workspaces/{workspaceId}",
    permission: "installation:write",
    summary:
      "Delete a workspace that holds no workbenches any more, with its memberships, keys and providers. Its runs stay in the ledger.",
    input: z.object({ workspaceId: Id }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "workspaces.switch": operation({
    id: "workspaces.switch",
    rpc: "WorkspacesSwitch",
    method: "POST",
    path: "/api/v1/workspaces/{workspaceId}/switch",
    permission: "self",
    summary:
      "Work in another of your workspaces with this browser session. Tokens name theirs with the header Benchtop-Workspace instead.",
    input: z.object({ workspaceId: Id }),
    output: Identity,
    errors: ["NOT_FOUND"],
  }),
  "members.list": operation({
    id: "members.list",
    rpc: "MembersList",
    method: "GET",
    path: "/api/v1/members",
    permission: "members:read",
    summary: "Members of the workspace, by name.",
    input: z.object(pageInput),
    output: page(Member),
    errors: [],
  }),
  "members.setRole": operation({
    id: "members.setRole",
    rpc: "MembersSetRole",
    method: "PATCH",
    path: "/api/v1/members/{userId}",
    permission: "members:write",
    summary: "Change what a member may do. Nobody gives or takes a role above their own; one owner stays.",
    input: z.object({ userId: Id, role: RoleName }),
    output: Member,
    errors: ["NOT_FOUND"],
  }),
  "members.remove": operation({
    id: "members.remove",
    rpc: "MembersRemove",
    method: "DELETE",
    path: "/api/v1/members/{userId}",
    permission: "members:write",
    summary: "Remove a member: their keys and sign-ins for this workspace end at once. What they made stays.",
    input: z.object({ userId: Id }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "members.createLink": operation({
    id: "members.createLink",
    rpc: "MembersCreateLink",
    method: "POST",
    path: "/api/v1/members/{userId}/links",
    permission: "members:write",
    status: 201,
    shownOnce: true,
    summary:
      "A console address that signs one browser in as a member of a role below yours: good once, for ten minutes.",
    input: z.object({ userId: Id }),
    output: z.object({ url: z.string(), expiresAt: z.string() }),
    errors: ["NOT_FOUND"],
  }),
  "invitations.create": operation({
    id: "invitations.create",
    rpc: "InvitationsCreate",
    method: "POST",
    path: "/api/v1/invitations",
    permission: "members:write",
    status: 201,
    shownOnce: true,
    summary:
      "Invite a person. The link is shown once; with an address, only who signs in with that address can take it.",
    input: z.object({ role: RoleName, email: Email.optional(), expiresInDays: ExpiresInDays.max(90).default(7) }),
    output: z.object({ invitation: Invitation, url: z.string() }),
    errors: [],
  }),
  "invitations.list": operation({
    id: "invitations.list",
    rpc: "InvitationsList",
    method: "GET",
    path: "/api/v1/invitations",
    permission: "members:read",
    summary: "Invitations of the workspace, newest first.",
    input: z.object(pageInput),
    output: page(Invitation),
    errors: [],
  }),
  "invitations.revoke": operation({
    id: "invitations.revoke",
    rpc: "InvitationsRevoke",
    method: "DELETE",
    path: "/api/v1/invitations/{invitationId}",
    permission: "members:write",
    summary: "Take an open invitation back.",
    input: z.object({ invitationId: Id }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "invitations.look": operation({
    id: "invitations.look",
    rpc: "InvitationsLook",
    method: "POST",
    path: "/api/v1/invitations/look",
    permission: "public",
    summary: "What an invitation's link is for, before it is taken.",
    input: z.object({ token: Secret }),
    output: z.object({
      workspaceName: z.string(),
      role: RoleName,
      email: z.string().nullable(),
      expiresAt: z.string(),
    }),
    errors: ["AUTH_REQUIRED", "RATE_LIMITED"],
  }),
  "invitations.accept": operation({
    id: "invitations.accept",
    rpc: "InvitationsAccept",
    method: "POST",
    path: "/api/v1/invitations/accept",
    permission: "public",
    summary:
      "Take an invitation: become a member and signed in. Whoever is signed in already joins as themselves; one that names an address is taken by signing in with the identity provider.",
    input: z.object({ token: Secret, displayName: Name.optional() }),
    output: Identity,
    errors: ["AUTH_REQUIRED", "PERMISSION_DENIED", "RATE_LIMITED"],
  }),
} as const;
