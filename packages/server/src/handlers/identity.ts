import type { identityOperations } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";
import { signInUrl } from "./system.ts";

export function identityHandlers({ identities, url }: Services): HandlersOf<typeof identityOperations> {
  const later = async (): Promise<never> => {
    throw new BenchtopError("NOT_FOUND", "Not there yet.");
  };
  return {
    "signIn.methods": async () => ({ oidc: [] }),
    "signIn.create": ({ token }, { proof, browser }) => identities.signIn(token, proof, browser),
    "signIn.startOidc": later,
    "signIn.finishOidc": later,
    "signIn.createLink": async () => {
      const { token, expiresAt } = identities.createOneTimeToken();
      return { url: signInUrl(url(), token), expiresAt: expiresAt.toISOString() };
    },
    "signIn.end": async (_, { proof, browser }) => {
      await identities.signOut(proof, browser);
      return {};
    },
    "signIns.list": later,
    "signIns.revoke": later,
    "identity.whoami": async (_, { identity }) => identity,
    "workspaces.list": later,
    "workspaces.create": later,
    "workspaces.rename": later,
    "workspaces.delete": later,
    "workspaces.switch": later,
    "members.list": later,
    "members.setRole": later,
    "members.remove": later,
    "members.createLink": later,
    "invitations.create": later,
    "invitations.list": later,
    "invitations.revoke": later,
    "invitations.look": later,
    "invitations.accept": later,
    "keys.list": later,
    "keys.create": later,
    "keys.revoke": later,
    "audit.list": later,
  };
}
