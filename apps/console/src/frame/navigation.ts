import type { Identity, Permission } from "@benchtop/operations";
import {
  Boxes,
  Braces,
  FlaskConical,
  Globe,
  House,
  LayoutGrid,
  Settings,
  ShieldQuestion,
  SquareActivity,
} from "lucide-react";

/** The sections of the console, in the order of the rail. One that needs a permission is there for those who have it. */
const allSections = [
  { to: "/", label: "Home", icon: House, keys: "g h", permission: "self" },
  { to: "/workbenches", label: "Workbenches", icon: LayoutGrid, keys: "g w", permission: "workbenches:read" },
  { to: "/runs", label: "Runs", icon: SquareActivity, keys: "g r", permission: "runs:read" },
  { to: "/models", label: "Models", icon: Boxes, keys: "g m", permission: "providers:read" },
  { to: "/evals", label: "Evals", icon: FlaskConical, keys: "g v", permission: "runs:read" },
  { to: "/approvals", label: "Approvals", icon: ShieldQuestion, keys: "g a", permission: "runs:read" },
  { to: "/egress", label: "Egress", icon: Globe, keys: "g e", permission: "egress:read" },
  { to: "/api", label: "API", icon: Braces, keys: "g i", permission: "self" },
  { to: "/settings", label: "Settings", icon: Settings, keys: "g s", permission: "self" },
] as const satisfies readonly { readonly permission: Permission; readonly [name: string]: unknown }[];

export type NavigationSection = (typeof allSections)[number];

export function sectionsFor(identity: Identity | undefined): readonly NavigationSection[] {
  return allSections.filter(({ permission }) => identity?.permissions.includes(permission) === true);
}

/** Those that lie at the bottom of a phone; the others are one tap further. */
export const nearSections: readonly NavigationSection["to"][] = ["/", "/workbenches", "/runs", "/approvals"];
