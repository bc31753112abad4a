import type { identityOperations, keyOperations } from "@benchtop/operations";
import type { BrowserSession, HandlersOf, RequestContext } from "../api/handler.ts";
import { isLoopback } from "../http/listen.ts";
import type { Link } from "../identity/links.ts";
import type { Caller } from "../identity/access-changes.ts";
import { listAccess } from "../identity/access-log.ts";
import type { Services } from "./services.ts";
import { signInUrl } from "./system.ts";

export function identityHandlers(services: Services): HandlersOf<typeof identityOperations & typeof keyOperations> {
  const { identities, oidc, store, providers } = services;
  const { workspaces, members, invitations, keys, signIns, links } = identities;
  return {
    "signIn.methods": async () => ({ oidc: oidc.methods() }),
    "signIn.create": ({ token }, { proof, browser }) => identities.signIn(token, proof, browser),
    "signIn.startOidc": ({ name, invitation }, { browser }) => oidc.start(name, invitation, browser),
    "signIn.finishOidc": ({ parameters }, { proof, browser }) =>
      identities.signInWithClaims(() => oidc.finish(parameters, browser), proof, browser),
    "signIn.createLink": async (_, context) => {
      return linkOutput(ownAddress(services, context.browser), await links.createForSelf(caller(context)));
    },
    "signIn.end": async (_, context) => {
      await signIns.end(caller(context), context.browser);
      return {};
    },
    "signIns.list": (input, { identity }) => signIns.list(identity, input),
    "signIns.revoke": async ({ signInId }, context) => {
      await signIns.revoke(caller(context), signInId);
      return {};
    },
    "identity.whoami": async (_, { identity }) => identity,
    "workspaces.list": (input, { identity }) => workspaces.list(identity, input),
    "workspaces.create": ({ name }, context) => workspaces.create(caller(context), name),
    "workspaces.rename": ({ name }, context) => workspaces.rename(caller(context), name),
    "workspaces.delete": async ({ workspaceId }, context) => {
      await workspaces.checkDeletable(workspaceId);
      for (const { name } of await providers.list(workspaceId)) await providers.remove(workspaceId, name);
      await workspaces.delete(caller(context), workspaceId);
      return {};
    },
    "workspaces.switch": ({ workspaceId }, { identity }) => signIns.switchTo(identity, workspaceId),
    "members.list": (input, { identity }) => members.list(identity, input),
    "members.setRole": ({ userId, role }, context) => members.setRole(caller(context), userId, role),
    "members.remove": async ({ userId }, context) => {
      await members.remove(caller(context), userId);
      return {};
    },
    "members.createLink": async ({ userId }, context) => {
      return linkOutput(othersAddress(services, context.browser), await links.createForMember(caller(context), userId));
    },
    "invitations.create": async (input, context) => {
      const { invitation, token } = await invitations.create(caller(context), input);
      return { invitation, url: `${othersAddress(services, context.browser)}/#invitation=${token}` };
    },
    "invitations.list": (input, { identity }) => invitations.list(identity, input),
    "invitations.revoke": async ({ invitationId }, context) => {
      await invitations.revoke(caller(context), invitationId);
      return {};
    },
    "invitations.look": async ({ token }, { proof }) => {
      const { workspaceName, role, email, expiresAt } = await identities.lookAtInvitation(token, proof);
      return { workspaceName, role, email, expiresAt };
    },
    "invitations.accept": (input, { proof, browser }) => identities.acceptInvitation(input, proof, browser),
    "keys.list": (input, { identity }) => keys.list(identity, input),
    "keys.create": (input, context) => keys.create(caller(context), input),
    "keys.revoke": async ({ keyId }, context) => {
      await keys.revoke(caller(context), keyId);
      return {};
    },
    "audit.list": (input, { identity }) => listAccess(store.db, identity, input),
  };
}

/** Who, and from where: the audit says both. */
function caller({ identity, proof }: RequestContext): Caller {
  return { ...identity, address: proof.address };
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
