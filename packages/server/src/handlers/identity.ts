import type { identityOperations } from "@benchtop/operations";
import type { BrowserSession, HandlersOf } from "../api/handler.ts";
import { isLoopback } from "../http/listen.ts";
import type { Link } from "../identity/links.ts";
import { listAccess } from "../identity/access-log.ts";
import type { Services } from "./services.ts";
import { signInUrl } from "./system.ts";

export function identityHandlers(services: Services): HandlersOf<typeof identityOperations> {
  const { identities, oidc, store, providers } = services;
  const { workspaces, members, invitations, keys, signIns, links } = identities;
  return {
    "signIn.methods": async () => ({ oidc: oidc.methods() }),
    "signIn.create": ({ token }, { proof, browser }) => identities.signIn(token, proof, browser),
    "signIn.startOidc": ({ name, invitation }, { browser }) => oidc.start(name, invitation, browser),
    "signIn.finishOidc": ({ parameters }, { proof, browser }) =>
      identities.signInWithClaims(() => oidc.finish(parameters, browser), proof, browser),
    "signIn.createLink": async (_, { identity, browser }) => {
      return linkOutput(ownAddress(services, browser), await links.createForSelf(identity));
    },
    "signIn.end": async (_, { identity, browser }) => {
      await signIns.end(identity, browser);
      return {};
    },
    "signIns.list": (input, { identity }) => signIns.list(identity, input),
    "signIns.revoke": async ({ signInId }, { identity }) => {
      await signIns.revoke(identity, signInId);
      return {};
    },
    "identity.whoami": async (_, { identity }) => identity,
    "workspaces.list": (input, { identity }) => workspaces.list(identity, input),
    "workspaces.create": ({ name }, { identity }) => workspaces.create(identity, name),
    "workspaces.rename": ({ name }, { identity }) => workspaces.rename(identity, name),
    "workspaces.delete": async ({ workspaceId }, { identity }) => {
      await workspaces.checkDeletable(workspaceId);
      for (const { name } of await providers.list(workspaceId)) await providers.remove(workspaceId, name);
      await workspaces.delete(identity, workspaceId);
      return {};
    },
    "workspaces.switch": ({ workspaceId }, { identity }) => signIns.switchTo(identity, workspaceId),
    "members.list": (input, { identity }) => members.list(identity, input),
    "members.setRole": ({ userId, role }, { identity }) => members.setRole(identity, userId, role),
    "members.remove": async ({ userId }, { identity }) => {
      await members.remove(identity, userId);
      return {};
    },
    "members.createLink": async ({ userId }, { identity, browser }) => {
      return linkOutput(othersAddress(services, browser), await links.createForMember(identity, userId));
    },
    "invitations.create": async (input, { identity, browser }) => {
      const { invitation, token } = await invitations.create(identity, input);
      return { invitation, url: `${othersAddress(services, browser)}/#invitation=${token}` };
    },
    "invitations.list": (input, { identity }) => invitations.list(identity, input),
    "invitations.revoke": async ({ invitationId }, { identity }) => {
      await invitations.revoke(identity, invitationId);
      return {};
    },
    "invitations.look": async ({ token }, { proof }) => {
      const { workspaceName, role, email, expiresAt } = await identities.lookAtInvitation(token, proof);
      return { workspaceName, role, email, expiresAt };
    },
    "invitations.accept": (input, { proof, browser }) => identities.acceptInvitation(input, proof, browser),
    "keys.list": (input, { identity }) => keys.list(identity, input),
    "keys.create": (input, { identity }) => keys.create(identity, input),
    "keys.revoke": async ({ keyId }, { identity }) => {
      await keys.revoke(identity, keyId);
      return {};
    },
    "audit.list": (input, { identity }) => listAccess(store.db, identity, input),
  };
}

function linkOutput(address: string, { token, expiresAt }: Link) {
  return { url: signInUrl(address, token), expiresAt: expiresAt.toISOString() };
}

/** Where the caller's own browser finds the console: as they came, unless that was by a name of this machine's own. */
function ownAddress({ url }: Services, { origin }: BrowserSession): string {
  return origin === undefined || isOwnMachine(origin) ? url() : origin;
}

/** Where other people find it: a loopback address is of no use to them where there is a public one. */
function othersAddress(services: Services, browser: BrowserSession): string {
  const own = ownAddress(services, browser);
  return isOwnMachine(own) ? (services.publicUrl() ?? own) : own;
}

function isOwnMachine(origin: string): boolean {
  return isLoopback(new URL(origin).hostname.replace(/^\[(.*)\]$/, "$1"));
}
