import type { Identity, Permission } from "@benchtop/operations";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { query } from "../api/queries.ts";

/** Who is signed in, where, and what they may do. Asked again when an answer says that it changed. */
export const whoami = queryOptions({ ...query("identity.whoami", {}), staleTime: 60_000, retry: false });

/** Below the entrance there is always one. */
export function useIdentity(): Identity | undefined {
  return useQuery(whoami).data;
}

/** Whether to offer something at all. */
export function useMay(permission: Permission): boolean {
  return useIdentity()?.permissions.includes(permission) ?? false;
}

/** Why something that stays in sight cannot be used, or undefined when it can. */
export function useDenied(permission: Permission): string | undefined {
  const identity = useIdentity();
  if (identity === undefined || identity.permissions.includes(permission)) return undefined;
  return denial(identity, permission);
}

export function denial(identity: Identity, permission: Permission): string {
  const what = verbs[permission] ?? `do what ${permission} is for`;
  const who =
    identity.keyId !== null
      ? "The API key that signed you in"
      : identity.role === null
        ? "You"
        : `Your role here, ${identity.role},`;
  return `${who} may not ${what.replaceAll(" and ", " or ")}.`;
}

/** What a permission lets somebody do, to follow “may”. */
export const verbs: Readonly<Partial<Record<Permission, string>>> = {
  "workbenches:read": "see workbenches and their files",
  "workbenches:write": "change workbenches and publish files",
  "runs:read": "see runs and evaluations",
  "runs:write": "start, steer or repeat runs",
  "egress:read": "see what left this machine",
  "egress:write": "agree to sending files elsewhere",
  "providers:read": "see model providers",
  "providers:write": "change model providers and their keys",
  "keys:write": "make API keys",
  "members:read": "see members",
  "members:write": "manage members, invitations and service tokens",
  "audit:read": "read the access log",
  "workspace:write": "change the workspace itself",
  "system:read": "see the machine that Benchtop runs on",
  "installation:write": "make and delete workspaces",
  "models:write": "install, remove, make and limit the models of this machine",
  "host:files": "read and write folders of the machine that Benchtop runs on",
};
