import { isAtLeast, roles, type Identity, type Role } from "@benchtop/operations";

/** What each role is for, in a sentence. */
export const roleNotes: Readonly<Record<Role, string>> = {
  viewer: "Sees everything, changes nothing.",
  editor: "Works: runs agents, changes files and publishes them.",
  admin: "Also manages members, keys and model providers, and reads the access log.",
  owner: "Everything, the workspace itself included.",
};

/** The roles that somebody may give or take: none above their own. */
export function rolesBelow(identity: Identity): readonly Role[] {
  if (identity.operator) return roles;
  const own = identity.role;
  return own === null ? [] : roles.filter((role) => isAtLeast(own, role));
}
