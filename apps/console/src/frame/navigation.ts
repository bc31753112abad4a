import { FlaskConical, Globe, House, LayoutGrid, Settings, ShieldQuestion, SquareActivity } from "lucide-react";

/** The sections of the console, in the order of the rail. */
export const sections = [
  { to: "/", label: "Home", icon: House, keys: "g h" },
  { to: "/workbenches", label: "Workbenches", icon: LayoutGrid, keys: "g w" },
  { to: "/runs", label: "Runs", icon: SquareActivity, keys: "g r" },
  { to: "/evals", label: "Evals", icon: FlaskConical, keys: "g v" },
  { to: "/approvals", label: "Approvals", icon: ShieldQuestion, keys: "g a" },
  { to: "/egress", label: "Egress", icon: Globe, keys: "g e" },
  { to: "/settings", label: "Settings", icon: Settings, keys: "g s" },
] as const;

/** Those that lie at the bottom of a phone; the others are one tap further. */
export const nearSections: readonly (typeof sections)[number]["to"][] = ["/", "/workbenches", "/runs", "/approvals"];
