import type { Identity, Permission } from "@benchtop/operations";
import {
  Building2,
  CircleAlert,
  Contrast,
  Info,
  KeyRound,
  MonitorSmartphone,
  Network,
  Plug,
  ScrollText,
  Users,
} from "lucide-react";
import type { settingsSections } from "../search.ts";

export interface SettingsSection {
  readonly id: (typeof settingsSections)[number];
  readonly label: string;
  readonly icon: typeof Plug;
  readonly group: "workspace" | "you" | "installation";
  readonly permission: Permission;
  /** Other names under which the palette finds it. */
  readonly words: string;
}

const all: readonly SettingsSection[] = [
  {
    id: "providers",
    label: "Providers",
    icon: Plug,
    group: "workspace",
    permission: "providers:read",
    words: "models providers keys",
  },
  {
    id: "network",
    label: "Local network",
    icon: Network,
    group: "workspace",
    permission: "egress:read",
    words: "hosts exceptions lan egress approve",
  },
  {
    id: "members",
    label: "Members",
    icon: Users,
    group: "workspace",
    permission: "members:read",
    words: "people roles invite invitation team",
  },
  {
    id: "access-log",
    label: "Access log",
    icon: ScrollText,
    group: "workspace",
    permission: "audit:read",
    words: "audit security who signed in",
  },
  {
    id: "failures",
    label: "What went wrong",
    icon: CircleAlert,
    group: "workspace",
    permission: "runs:read",
    words: "failures errors reports problems bugs",
  },
  {
    id: "workspace",
    label: "Workspace",
    icon: Building2,
    group: "workspace",
    permission: "self",
    words: "rename delete create organisation",
  },
  {
    id: "keys",
    label: "API keys",
    icon: KeyRound,
    group: "you",
    permission: "keys:write",
    words: "token secret service scopes",
  },
  {
    id: "sign-ins",
    label: "Sign-ins",
    icon: MonitorSmartphone,
    group: "you",
    permission: "self",
    words: "browsers sessions devices sign out",
  },
  {
    id: "appearance",
    label: "Appearance",
    icon: Contrast,
    group: "you",
    permission: "self",
    words: "theme dark light contrast",
  },
  {
    id: "about",
    label: "About",
    icon: Info,
    group: "installation",
    permission: "system:read",
    words: "version status memory database",
  },
];

/** The parts of the settings that somebody can use. */
export function settingsSectionsFor(identity: Identity | undefined): readonly SettingsSection[] {
  return all.filter(({ permission }) => identity?.permissions.includes(permission) === true);
}
