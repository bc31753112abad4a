/** What an operation needs and an identity may hold. `public` needs no identity at all. */
export const permissions = [
  "public",
  /** Who am I, my sign-ins, my workspaces: every identity has it. */
  "self",
  "workbenches:read",
  "workbenches:write",
  "runs:read",
  "runs:write",
  "egress:read",
  "egress:write",
  "providers:read",
  "providers:write",
  /** Keys of one's own. */
  "keys:write",
  "members:read",
  /** Members, invitations, service tokens and other people's keys and sign-ins. */
  "members:write",
  "audit:read",
  /** This workspace itself: its name. */
  "workspace:write",
  /** What the machine and the whole installation are doing. */
  "system:read",
  /** Workspaces of the installation. */
  "installation:write",
  /** Models of this machine: installs, removes, makes and limits them. */
  "models:write",
  /** Reads or writes folders of the daemon's own machine, outside any workbench, and lets a workspace reach its loopback. */
  "host:files",
] as const;
export type Permission = (typeof permissions)[number];

/** What a member is in a workspace, the least first. */
export const roles = ["viewer", "editor", "admin", "owner"] as const;
export type Role = (typeof roles)[number];

const viewer: readonly Permission[] = [
  "self",
  "workbenches:read",
  "runs:read",
  "egress:read",
  "providers:read",
  "members:read",
  "keys:write",
];
const editor: readonly Permission[] = [...viewer, "workbenches:write", "runs:write", "egress:write"];
const admin: readonly Permission[] = [...editor, "providers:write", "members:write", "audit:read"];
const owner: readonly Permission[] = [...admin, "workspace:write"];

/** What each role may do in its workspace. */
export const rolePermissions: Readonly<Record<Role, readonly Permission[]>> = { viewer, editor, admin, owner };

/** Everything: what the operator of the installation, who holds the bootstrap token, may do in every workspace. */
export const operatorPermissions: readonly Permission[] = permissions.filter((permission) => permission !== "public");

/** What an API key can be limited to. Its holder never gets more by it than their role allows at the moment of use. */
export const scopes = permissions.filter((permission) => permission !== "public" && permission !== "self");

/** True when `role` may decide about somebody who is `other`: nobody touches what stands above them. */
export function isAtLeast(role: Role, other: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(other);
}
