import type { TestDaemon } from "../test-daemon.ts";
import {
  accept,
  byCookie,
  byToken,
  invite,
  makeKey,
  nobody,
  tokenIn,
  type Asker,
  type Team,
  type Told,
} from "./team.ts";

/** Two workspaces that know nothing of each other, but for `both`: owner of the one and a viewer in the other. */
export interface Scene {
  readonly daemon: TestDaemon;
  readonly acme: Team;
  readonly rival: Team;
  readonly both: Asker & { readonly userId: string; readonly cookie: string };
}

export interface Attack {
  readonly name: string;
  /** What has to be there before; what the attempt itself does comes after. */
  readonly prepare?: (scene: Scene) => Promise<Asker>;
  readonly attempt: (scene: Scene, prepared: Asker) => Promise<Told>;
  readonly refused: "AUTH_REQUIRED" | "PERMISSION_DENIED" | "NOT_FOUND" | "VALIDATION_FAILED";
}

const member = (userId: string): string => `/api/v1/members/${userId}`;
const withKey = (scopes: Parameters<typeof makeKey>[1], of: "viewer" | "editor" | "admin" | "owner") => {
  return async ({ daemon, acme }: Scene): Promise<Asker> => byToken(daemon, (await makeKey(acme[of], scopes)).secret);
};
const inWorkspace = (workspaceId: string): Record<string, string> => ({ "benchtop-workspace": workspaceId });

/** Ways to more than one may. Each has to be refused, and to change nothing. */
export const attacks: readonly Attack[] = [
  {
    name: "a viewer makes a key that writes",
    attempt: ({ acme }) => acme.viewer.ask("POST", "/api/v1/keys", { name: "k", scopes: ["runs:read", "runs:write"] }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a viewer makes a key that changes members",
    attempt: ({ acme }) => acme.viewer.ask("POST", "/api/v1/keys", { name: "k", scopes: ["members:write"] }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an owner makes a key for the whole installation",
    attempt: ({ acme }) => acme.owner.ask("POST", "/api/v1/keys", { name: "k", scopes: ["installation:write"] }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an editor makes a service token",
    attempt: ({ acme }) =>
      acme.editor.ask("POST", "/api/v1/keys", { name: "s", scopes: ["runs:read"], service: { role: "viewer" } }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an admin makes a service token that is an owner",
    attempt: ({ acme }) =>
      acme.admin.ask("POST", "/api/v1/keys", { name: "s", scopes: ["runs:read"], service: { role: "owner" } }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a narrow key makes a wider one",
    prepare: withKey(["keys:write", "runs:read"], "owner"),
    attempt: (_, key) => key.ask("POST", "/api/v1/keys", { name: "k", scopes: ["runs:write"] }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a narrow key makes a service token with a role that does more",
    prepare: withKey(["keys:write", "members:write", "runs:read"], "owner"),
    attempt: (_, key) =>
      key.ask("POST", "/api/v1/keys", { name: "s", scopes: ["runs:read"], service: { role: "editor" } }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a narrow key invites its own editor",
    prepare: withKey(["members:write"], "owner"),
    attempt: (_, key) => key.ask("POST", "/api/v1/invitations", { role: "editor" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a narrow key makes a viewer an owner",
    prepare: withKey(["members:write"], "owner"),
    attempt: ({ acme }, key) => key.ask("PATCH", member(acme.viewer.userId), { role: "owner" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a narrow key makes a link that signs in as an editor",
    prepare: withKey(["members:write"], "owner"),
    attempt: ({ acme }, key) => key.ask("POST", `${member(acme.editor.userId)}/links`, {}),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a viewer changes their own role",
    attempt: ({ acme }) => acme.viewer.ask("PATCH", member(acme.viewer.userId), { role: "owner" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an admin makes themselves an owner",
    attempt: ({ acme }) => acme.admin.ask("PATCH", member(acme.admin.userId), { role: "owner" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an admin demotes an owner",
    attempt: ({ acme }) => acme.admin.ask("PATCH", member(acme.owner.userId), { role: "viewer" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an admin removes an owner",
    attempt: ({ acme }) => acme.admin.ask("DELETE", member(acme.owner.userId)),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an admin invites an owner",
    attempt: ({ acme }) => acme.admin.ask("POST", "/api/v1/invitations", { role: "owner" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an admin revokes an owner's key",
    attempt: async ({ acme }) => {
      const { body } = await acme.owner.ask("GET", "/api/v1/keys");
      const key = (body["items"] as { keyId: string; userId: string }[]).find(
        ({ userId }) => userId === acme.owner.userId,
      );
      return await acme.admin.ask("DELETE", `/api/v1/keys/${key?.keyId ?? ""}`);
    },
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an editor revokes a viewer's key",
    prepare: async ({ acme }) => {
      const { keyId } = await makeKey(acme.viewer, ["runs:read"]);
      return { ask: () => acme.editor.ask("DELETE", `/api/v1/keys/${keyId}`) };
    },
    attempt: (_, editor) => editor.ask("DELETE", ""),
    refused: "NOT_FOUND",
  },
  {
    name: "an admin makes a link that signs in as another admin",
    attempt: ({ acme }) => acme.admin.ask("POST", `${member(acme.admin.userId)}/links`, {}),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an owner makes a link that signs in as the operator",
    attempt: ({ acme }) => acme.owner.ask("POST", `${member("owner")}/links`, {}),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an owner who lowered the operator's role makes a link that signs in as them",
    prepare: async ({ acme }) => {
      await acme.owner.ask("PATCH", member("owner"), { role: "viewer" });
      return acme.owner;
    },
    attempt: (_, owner) => owner.ask("POST", `${member("owner")}/links`, {}),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a link for a member of two workspaces leads into the other one",
    prepare: async ({ daemon, acme, both }) => {
      const link = await acme.owner.ask("POST", `${member(both.userId)}/links`, {});
      const signedIn = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(link.body["url"]) });
      return byCookie(daemon, signedIn.cookie ?? "");
    },
    attempt: ({ rival }, browser) => browser.ask("GET", "/api/v1/members", undefined, inWorkspace(rival.workspaceId)),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a link for a member of two workspaces is switched to the other one",
    prepare: async ({ daemon, acme, both }) => {
      const link = await acme.owner.ask("POST", `${member(both.userId)}/links`, {});
      const signedIn = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(link.body["url"]) });
      return byCookie(daemon, signedIn.cookie ?? "");
    },
    attempt: ({ rival }, browser) => browser.ask("POST", `/api/v1/workspaces/${rival.workspaceId}/switch`, {}),
    refused: "NOT_FOUND",
  },
  {
    name: "a link for a member of two workspaces makes a link that is not confined",
    prepare: async ({ daemon, acme, both }) => {
      const link = await acme.owner.ask("POST", `${member(both.userId)}/links`, {});
      const first = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(link.body["url"]) });
      const again = await byCookie(daemon, first.cookie ?? "").ask("POST", "/api/v1/sign-in/links", {});
      const second = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(again.body["url"]) });
      return byCookie(daemon, second.cookie ?? "");
    },
    attempt: ({ rival }, browser) => browser.ask("GET", "/api/v1/members", undefined, inWorkspace(rival.workspaceId)),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a key signs a browser in that does more than the key",
    prepare: async ({ daemon, acme }) => {
      const { secret } = await makeKey(acme.owner, ["runs:read"]);
      const signedIn = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: secret });
      return byCookie(daemon, signedIn.cookie ?? "");
    },
    attempt: ({ acme }, browser) => browser.ask("PATCH", member(acme.viewer.userId), { role: "admin" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a link that a key made signs a browser in that does more than the key",
    prepare: async ({ daemon, acme }) => {
      const { secret } = await makeKey(acme.owner, ["runs:read"]);
      const link = await byToken(daemon, secret).ask("POST", "/api/v1/sign-in/links", {});
      const signedIn = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(link.body["url"]) });
      return byCookie(daemon, signedIn.cookie ?? "");
    },
    attempt: (_, browser) => browser.ask("PATCH", "/api/v1/workspace", { name: "mine" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a key of the operator is taken for the operator",
    prepare: async ({ daemon, acme }) => byToken(daemon, (await makeKey(acme.operator, ["members:write"])).secret),
    attempt: (_, key) => key.ask("POST", "/api/v1/workspaces", { name: "mine" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a key names another workspace",
    prepare: withKey(["runs:read", "members:read"], "owner"),
    attempt: ({ rival }, key) => key.ask("GET", "/api/v1/members", undefined, inWorkspace(rival.workspaceId)),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a key of a member of two workspaces names the other one",
    prepare: async ({ daemon, both, acme }) => {
      const asBoth = byCookie(daemon, both.cookie, inWorkspace(acme.workspaceId));
      return byToken(daemon, (await makeKey(asBoth, ["members:read"])).secret);
    },
    attempt: ({ rival }, key) => key.ask("GET", "/api/v1/members", undefined, inWorkspace(rival.workspaceId)),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an owner names a workspace that they are no member of",
    attempt: ({ acme, rival }) => acme.owner.ask("GET", "/api/v1/members", undefined, inWorkspace(rival.workspaceId)),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an owner of one workspace changes a member of another by their id",
    attempt: ({ acme, rival }) => acme.owner.ask("PATCH", member(rival.viewer.userId), { role: "owner" }),
    refused: "NOT_FOUND",
  },
  {
    name: "an owner of one workspace removes a member of another",
    attempt: ({ acme, rival }) => acme.owner.ask("DELETE", member(rival.viewer.userId)),
    refused: "NOT_FOUND",
  },
  {
    name: "an owner of one workspace makes a link for a member of another",
    attempt: ({ acme, rival }) => acme.owner.ask("POST", `${member(rival.viewer.userId)}/links`, {}),
    refused: "NOT_FOUND",
  },
  {
    name: "an owner of one workspace revokes a key of another",
    attempt: async ({ acme, rival }) => {
      const { body } = await rival.owner.ask("GET", "/api/v1/keys");
      const [key] = body["items"] as { keyId: string }[];
      return await acme.owner.ask("DELETE", `/api/v1/keys/${key?.keyId ?? ""}`);
    },
    refused: "NOT_FOUND",
  },
  {
    name: "an owner of one workspace revokes an invitation of another",
    attempt: async ({ acme, rival }) => {
      const { body } = await rival.owner.ask("GET", "/api/v1/invitations");
      const [invitation] = body["items"] as { invitationId: string }[];
      return await acme.owner.ask("DELETE", `/api/v1/invitations/${invitation?.invitationId ?? ""}`);
    },
    refused: "NOT_FOUND",
  },
  {
    name: "an owner makes another workspace",
    attempt: ({ acme }) => acme.owner.ask("POST", "/api/v1/workspaces", { name: "mine" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an owner deletes another workspace",
    attempt: ({ acme, rival }) => acme.owner.ask("DELETE", `/api/v1/workspaces/${rival.workspaceId}`),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "the operator deletes the first workspace",
    attempt: ({ acme }) => acme.operator.ask("DELETE", "/api/v1/workspaces/default"),
    refused: "VALIDATION_FAILED",
  },
  {
    name: "an owner switches to a workspace that they are no member of",
    attempt: ({ acme, rival }) => acme.owner.ask("POST", `/api/v1/workspaces/${rival.workspaceId}/switch`, {}),
    refused: "NOT_FOUND",
  },
  {
    name: "a member signs another member's browser out",
    attempt: async ({ acme }) => {
      const { body } = await acme.owner.ask("GET", "/api/v1/sign-ins");
      const [signIn] = body["items"] as { signInId: string }[];
      return await acme.viewer.ask("DELETE", `/api/v1/sign-ins/${signIn?.signInId ?? ""}`);
    },
    refused: "NOT_FOUND",
  },
  {
    name: "a key signs its holder's browsers out",
    prepare: withKey(["runs:read"], "owner"),
    attempt: async ({ acme }, key) => {
      const { body } = await acme.owner.ask("GET", "/api/v1/sign-ins");
      const [signIn] = body["items"] as { signInId: string }[];
      return await key.ask("DELETE", `/api/v1/sign-ins/${signIn?.signInId ?? ""}`);
    },
    refused: "NOT_FOUND",
  },
  {
    name: "a key joins a workspace for its holder",
    prepare: async ({ daemon, acme, rival }) => {
      const { secret } = await makeKey(acme.viewer, ["runs:read"]);
      const token = await invite(rival.owner, "owner");
      return { ask: () => byToken(daemon, secret).ask("POST", "/api/v1/invitations/accept", { token }) };
    },
    attempt: (_, key) => key.ask("POST", ""),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "somebody without the address takes an invitation to an address",
    prepare: async ({ daemon, acme }) => {
      const token = await invite(acme.owner, "admin", { email: "new@example.com" });
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, displayName: "Eve" }) };
    },
    attempt: (_, eve) => eve.ask("POST", ""),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an invitation that was taken is taken again",
    prepare: async ({ daemon, acme }) => {
      const token = await invite(acme.owner, "viewer");
      await accept(daemon, token, { displayName: "first" });
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, displayName: "second" }) };
    },
    attempt: (_, again) => again.ask("POST", ""),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "an invitation that was taken back is taken",
    prepare: async ({ daemon, acme }) => {
      const { body } = await acme.owner.ask("POST", "/api/v1/invitations", { role: "admin" });
      const { invitationId } = body["invitation"] as { invitationId: string };
      await acme.owner.ask("DELETE", `/api/v1/invitations/${invitationId}`);
      const token = tokenIn(body["url"]);
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, displayName: "Eve" }) };
    },
    attempt: (_, late) => late.ask("POST", ""),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a removed admin comes back by an invitation that they made",
    prepare: async ({ daemon, acme }) => {
      const leaver = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "leaver" });
      const token = await invite(leaver, "admin");
      await acme.owner.ask("DELETE", member(leaver.userId));
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, displayName: "again" }) };
    },
    attempt: (_, back) => back.ask("POST", ""),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a removed member uses their cookie",
    prepare: async ({ daemon, acme }) => {
      const leaver = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "leaver" });
      await leaver.ask("GET", "/api/v1/whoami");
      await acme.owner.ask("DELETE", member(leaver.userId));
      return leaver;
    },
    attempt: (_, leaver) => leaver.ask("GET", "/api/v1/whoami"),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a removed member uses a key, and one that it made",
    prepare: async ({ daemon, acme }) => {
      const leaver = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "leaver" });
      const { secret } = await makeKey(leaver, ["keys:write", "runs:read"]);
      const child = await makeKey(byToken(daemon, secret), ["runs:read"]);
      await byToken(daemon, child.secret).ask("GET", "/api/v1/whoami");
      await acme.owner.ask("DELETE", member(leaver.userId));
      return byToken(daemon, child.secret);
    },
    attempt: (_, key) => key.ask("GET", "/api/v1/whoami"),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a removed member uses a link that they made for themselves",
    prepare: async ({ daemon, acme }) => {
      const leaver = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "leaver" });
      const { body } = await leaver.ask("POST", "/api/v1/sign-in/links", {});
      await acme.owner.ask("DELETE", member(leaver.userId));
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(body["url"]) }) };
    },
    attempt: (_, late) => late.ask("POST", ""),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a key is used that the revoked one made",
    prepare: async ({ daemon, acme }) => {
      const parent = await makeKey(acme.owner, ["keys:write", "runs:read"]);
      const child = await makeKey(byToken(daemon, parent.secret), ["keys:write", "runs:read"]);
      const grandchild = await makeKey(byToken(daemon, child.secret), ["runs:read"]);
      await acme.owner.ask("DELETE", `/api/v1/keys/${parent.keyId}`);
      return byToken(daemon, grandchild.secret);
    },
    attempt: (_, key) => key.ask("GET", "/api/v1/whoami"),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a browser session goes on that the revoked key opened",
    prepare: async ({ daemon, acme }) => {
      const { keyId, secret } = await makeKey(acme.owner, ["runs:read"]);
      const signedIn = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: secret });
      const browser = byCookie(daemon, signedIn.cookie ?? "");
      await browser.ask("GET", "/api/v1/whoami");
      await acme.owner.ask("DELETE", `/api/v1/keys/${keyId}`);
      return browser;
    },
    attempt: (_, browser) => browser.ask("GET", "/api/v1/whoami"),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "an invitation is taken that the revoked key made",
    prepare: async ({ daemon, acme }) => {
      const all = [
        "workbenches:read",
        "runs:read",
        "egress:read",
        "providers:read",
        "members:read",
        "keys:write",
      ] as const;
      const { keyId, secret } = await makeKey(acme.owner, [...all, "members:write"]);
      const token = await invite(byToken(daemon, secret), "viewer");
      await acme.owner.ask("DELETE", `/api/v1/keys/${keyId}`);
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, displayName: "Eve" }) };
    },
    attempt: (_, late) => late.ask("POST", ""),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a demoted admin still changes members",
    prepare: async ({ daemon, acme }) => {
      const admin = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "demoted" });
      await admin.ask("GET", "/api/v1/members");
      await acme.owner.ask("PATCH", member(admin.userId), { role: "viewer" });
      return admin;
    },
    attempt: ({ acme }, admin) => admin.ask("PATCH", member(acme.viewer.userId), { role: "editor" }),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "a demoted admin's key still changes members",
    prepare: async ({ daemon, acme }) => {
      const admin = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "demoted" });
      const { secret } = await makeKey(admin, ["members:read", "members:write"]);
      await acme.owner.ask("PATCH", member(admin.userId), { role: "viewer" });
      return byToken(daemon, secret);
    },
    attempt: ({ acme }, key) => key.ask("DELETE", member(acme.viewer.userId)),
    refused: "PERMISSION_DENIED",
  },
  {
    name: "an admin is demoted, and an invitation that they made still lets an admin in",
    prepare: async ({ daemon, acme }) => {
      const admin = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "demoted" });
      const token = await invite(admin, "admin");
      await acme.owner.ask("PATCH", member(admin.userId), { role: "viewer" });
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, displayName: "Eve" }) };
    },
    attempt: (_, late) => late.ask("POST", ""),
    refused: "AUTH_REQUIRED",
  },
  {
    name: "a name rewrites the terminal of whoever lists it",
    prepare: async ({ daemon, acme }) => {
      const token = await invite(acme.owner, "viewer");
      const input = { token, displayName: "Eve\u001b[2J\u202e" };
      return { ask: () => nobody(daemon).ask("POST", "/api/v1/invitations/accept", input) };
    },
    attempt: (_, eve) => eve.ask("POST", ""),
    refused: "VALIDATION_FAILED",
  },
  {
    name: "a signed-out browser uses its cookie",
    prepare: async ({ daemon, acme }) => {
      const link = await acme.owner.ask("POST", "/api/v1/sign-in/links", {});
      const signedIn = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(link.body["url"]) });
      const browser = byCookie(daemon, signedIn.cookie ?? "");
      await browser.ask("DELETE", "/api/v1/sign-in");
      return browser;
    },
    attempt: (_, browser) => browser.ask("GET", "/api/v1/whoami"),
    refused: "AUTH_REQUIRED",
  },
];
