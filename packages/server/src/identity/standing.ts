import {
  operatorPermissions,
  rolePermissions,
  roles,
  type Identity,
  type Permission,
  type Role,
} from "@benchtop/operations";

/** The operator: the user of the bootstrap token. */
export const operatorId = "owner";
/** The workspace that every installation has, where the operator is unless they name another. */
export const firstWorkspaceId = "default";

/** Whose standing it is. */
export type Actor = Pick<Identity, "userId" | "operator" | "role" | "permissions">;

/**
 * What somebody may do: all that the role allows, or all there is for the operator; with a key, what its scopes leave of
 * that. Everybody may look at themselves.
 */
export function permissionsOf(
  userId: string,
  role: Role | null,
  scopes: readonly Permission[] | null,
): readonly Permission[] {
  const all = userId === operatorId ? operatorPermissions : role === null ? [] : rolePermissions[role];
  return scopes === null ? all : all.filter((permission) => permission === "self" || scopes.includes(permission));
}

/** Nobody touches what stands above them. */
export function mayDecideAbout(actor: Actor, role: Role): boolean {
  return rankOf(actor) >= roles.indexOf(role);
}

/** Truly above: who acts in another's name must be. */
export function isAbove(actor: Actor, role: Role): boolean {
  return rankOf(actor) > roles.indexOf(role);
}

/** Nobody gives what they do not hold themselves at this moment: a role above theirs, or one that does more than their key. */
export function mayGrant(actor: Actor, role: Role): boolean {
  return mayDecideAbout(actor, role) && rolePermissions[role].every((each) => actor.permissions.includes(each));
}

/** The higher of two roles. */
export function higher(one: Role, other: Role): Role {
  return roles.indexOf(one) >= roles.indexOf(other) ? one : other;
}

function rankOf({ userId, operator, role }: Actor): number {
  if (operator) return roles.length;
  // A key of the operator counts as an owner's, in every workspace.
  if (userId === operatorId) return roles.length - 1;
  return role === null ? -1 : roles.indexOf(role);
}
