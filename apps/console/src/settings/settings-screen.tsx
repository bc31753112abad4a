import { getRouteApi, Link } from "@tanstack/react-router";
import { Lock } from "lucide-react";
import { AccessLogSection } from "../access-log/access-log-section.tsx";
import { classes } from "../components/classes.ts";
import { EmptyState } from "../components/empty-state.tsx";
import { Screen } from "../components/screen.tsx";
import { Select } from "../components/select.tsx";
import { NetworkSection } from "../egress/network-section.tsx";
import { FailuresSection } from "../failures/failures-section.tsx";
import { useIdentity } from "../identity/identity.ts";
import { KeysSection } from "../keys/keys-section.tsx";
import { MembersSection } from "../members/members-section.tsx";
import { settingsSections, type SettingsSearch } from "../search.ts";
import { SignInsSection } from "../sign-ins/sign-ins-section.tsx";
import { WorkspaceSection } from "../workspaces/workspace-section.tsx";
import { AboutSection } from "./about-section.tsx";
import { AppearanceSection } from "./appearance-section.tsx";
import { ProvidersSection } from "./providers-section.tsx";
import { settingsSectionsFor, type SettingsSection } from "./sections.ts";

const route = getRouteApi("/settings");

const contents: Record<SettingsSection["id"], () => React.ReactNode> = {
  providers: ProvidersSection,
  network: NetworkSection,
  members: MembersSection,
  "access-log": AccessLogSection,
  failures: FailuresSection,
  workspace: WorkspaceSection,
  keys: KeysSection,
  "sign-ins": SignInsSection,
  appearance: AppearanceSection,
  about: AboutSection,
};

const groups = [
  { id: "workspace", heading: undefined },
  { id: "you", heading: "You" },
  { id: "installation", heading: "Installation" },
] as const;

export function SettingsScreen() {
  const identity = useIdentity();
  const sections = settingsSectionsFor(identity);
  const { section = sections[0]?.id ?? "appearance" } = route.useSearch();
  const navigate = route.useNavigate();
  const Content = sections.some(({ id }) => id === section) ? contents[section] : NotForYou;
  const go = (id: SettingsSearch["section"]) => void navigate({ search: id === undefined ? {} : { section: id } });
  return (
    <Screen title="Settings">
      <div className="mx-auto flex max-w-240 gap-8 px-4 py-5 max-md:flex-col max-md:gap-4 sm:px-8">
        <nav aria-label="Settings" className="shrink-0 max-md:hidden md:w-40">
          {groups.map((group, index) => (
            <div key={group.id} className={classes("flex flex-col gap-px", index > 0 && "mt-4")}>
              {sections.some((each) => each.group === group.id) && (
                <h2 className="truncate px-2 pb-1 text-xs font-semibold text-faint">
                  {group.heading ?? identity?.workspaceName}
                </h2>
              )}
              {sections
                .filter((each) => each.group === group.id)
                .map(({ id, label, icon: Icon }) => (
                  <Link
                    key={id}
                    to="/settings"
                    search={{ section: id }}
                    aria-current={section === id ? "page" : undefined}
                    className={classes(
                      "flex h-7.5 items-center gap-2 rounded-md px-2 font-medium",
                      section === id ? "bg-selected text-ink" : "text-muted hover:bg-hover hover:text-ink",
                    )}
                  >
                    <Icon size={14} aria-hidden />
                    {label}
                  </Link>
                ))}
            </div>
          ))}
        </nav>
        <Select
          label="Settings"
          value={section}
          className="h-9! w-full md:hidden"
          onChange={(value) => go(settingsSections.find((each) => each === value))}
          options={sections.map(({ id, label, icon: Icon }) => ({
            value: id,
            label,
            icon: <Icon size={14} aria-hidden className="text-faint" />,
          }))}
        />
        <div className="min-w-0 flex-1">
          <Content />
        </div>
      </div>
    </Screen>
  );
}

function NotForYou() {
  return (
    <EmptyState icon={<Lock size={18} aria-hidden />} title="This part is not open to you">
      Your role here does not include it. An owner or admin of the workspace can change that.
    </EmptyState>
  );
}
