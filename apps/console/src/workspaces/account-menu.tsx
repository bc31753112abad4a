import type { Identity } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Building2, KeyRound, Keyboard, LogOut, MonitorSmartphone, Plus, Users } from "lucide-react";
import { lazy, Suspense, useState, type ReactElement } from "react";
import { query } from "../api/queries.ts";
import { Menu, type MenuGroup } from "../components/menu.tsx";
import { useIdentity } from "../identity/identity.ts";
import { signOut, switchWorkspace } from "./switch-workspace.ts";

const CreateWorkspace = lazy(async () => ({ default: (await import("./create-workspace.tsx")).CreateWorkspace }));

/** Who somebody is and where: their workspaces, their keys and sign-ins, and the way out. */
export function AccountMenu(props: {
  readonly trigger: ReactElement<Record<string, unknown>>;
  readonly onKeys?: () => void;
  /** Where there is no rail: the sections that have no place of their own. */
  readonly more?: MenuGroup;
}) {
  const identity = useIdentity();
  const navigate = useNavigate();
  const [creating, setCreating] = useState(false);
  const workspaces = useWorkspaces();
  if (identity === undefined) return null;
  const may = (permission: Identity["permissions"][number]) => identity.permissions.includes(permission);
  const section = (name: "members" | "keys" | "sign-ins" | "workspace") => () =>
    void navigate({ to: "/settings", search: { section: name } });
  const groups: MenuGroup[] = [
    ...(props.more === undefined ? [] : [props.more]),
    {
      heading: workspaces.length > 1 ? "Switch workspace" : "Workspace",
      items: [
        ...workspaces.map(({ workspaceId, name, role }) => ({
          label: name,
          icon: <Building2 size={14} aria-hidden />,
          note: role ?? "operator",
          checked: workspaceId === identity.workspaceId,
          onSelect: () => {
            if (workspaceId !== identity.workspaceId) void switchWorkspace(workspaceId);
          },
        })),
        ...(may("installation:write")
          ? [{ label: "New workspace…", icon: <Plus size={14} aria-hidden />, onSelect: () => setCreating(true) }]
          : []),
      ],
    },
    {
      items: [
        ...(may("members:read")
          ? [{ label: "Members", icon: <Users size={14} aria-hidden />, onSelect: section("members") }]
          : []),
        ...(may("keys:write")
          ? [{ label: "API keys", icon: <KeyRound size={14} aria-hidden />, onSelect: section("keys") }]
          : []),
        {
          label: "Sign-ins",
          icon: <MonitorSmartphone size={14} aria-hidden />,
          onSelect: section("sign-ins"),
        },
      ],
    },
    {
      items: [
        ...(props.onKeys === undefined
          ? []
          : [{ label: "Keyboard keys", icon: <Keyboard size={14} aria-hidden />, onSelect: props.onKeys, note: "?" }]),
        ...(identity.via === "none"
          ? []
          : [
              {
                label: "Sign out of this browser",
                icon: <LogOut size={14} aria-hidden />,
                onSelect: () => void signOut(),
              },
            ]),
      ],
    },
  ];
  return (
    <>
      <Menu
        align="start"
        trigger={props.trigger}
        title={
          <>
            <p className="truncate font-semibold">{identity.displayName}</p>
            <p className="truncate text-sm text-muted">
              {identity.email === null ? "" : `${identity.email} · `}
              {roleOf(identity)}
            </p>
          </>
        }
        items={groups.filter(({ items }) => items.length > 0)}
      />
      {creating && (
        <Suspense>
          <CreateWorkspace onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </>
  );
}

/** The workspaces this sign-in may switch to, its own among them. */
export function useWorkspaces() {
  const identity = useIdentity();
  const workspaces = useQuery({ ...query("workspaces.list", { limit: 200 }), staleTime: 60_000 }).data?.items ?? [];
  return identity?.confined === true
    ? workspaces.filter(({ workspaceId }) => workspaceId === identity.workspaceId)
    : workspaces;
}

export function roleOf(identity: Identity): string {
  return identity.operator ? "operator of this installation" : (identity.role ?? "no role here");
}
