import type { identityOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import type { Link } from "../identity/links.ts";
import { listAccess } from "../identity/access-log.ts";
import type { Services } from "./services.ts";
import { signInUrl } from "./system.ts";

export function identityHandlers({ identities, oidc, store, url }: Services): HandlersOf<typeof identityOperations> {
  const { workspaces, members, invitations, keys, signIns, links } = identities;
  const linkOutput = ({ token, expiresAt }: Link) => ({
    url: signInUrl(url(), token),
    expiresAt: expiresAt.toISOString(),
  });
  return {
    "signIn.methods": async () => ({ oidc: oidc.methods() }),
    "signIn.create": ({ token }, { proof, browser }) => identities.signIn(token, proof, browser),
    "signIn.startOidc": ({ name, invitation }, { browser }) => oidc.start(name, invitation, browser),
    "signIn.finishOidc": ({ parameters }, { proof, browser }) =>
      identities.signInWithClaims(() => oidc.finish(parameters, browser), proof, browser),
    "signIn.createLink": async (_, { identity }) => linkOutput(await links.createForSelf(identity)),
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
    "members.createLink": async ({ userId }, { identity }) => linkOutput(await links.createForMember(identity, userId)),
    "invitations.create": async (input, { identity }) => {
      const { invitation, token } = await invitations.create(identity, input);
      return { invitation, url: `${url()}/#invitation=${token}` };
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
