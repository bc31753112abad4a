import { getRouteApi, Link } from "@tanstack/react-router";
import { Contrast, Info, Plug } from "lucide-react";
import { Screen } from "../components/screen.tsx";
import { AboutSection } from "./about-section.tsx";
import { AppearanceSection } from "./appearance-section.tsx";
import { ProvidersSection } from "./providers-section.tsx";

const route = getRouteApi("/settings");

const sections = [
  { id: "providers", label: "Providers", icon: Plug },
  { id: "appearance", label: "Appearance", icon: Contrast },
  { id: "about", label: "About", icon: Info },
] as const;

export function SettingsScreen() {
  const { section = "providers" } = route.useSearch();
  return (
    <Screen title="Settings">
      <div className="mx-auto flex max-w-240 gap-8 px-4 py-5 max-sm:flex-col max-sm:gap-4 sm:px-8">
        <nav aria-label="Settings" className="flex shrink-0 gap-px sm:w-40 sm:flex-col">
          {sections.map(({ id, label, icon: Icon }) => (
            <Link
              key={id}
              to="/settings"
              search={{ section: id }}
              aria-current={section === id ? "page" : undefined}
              className={`flex h-7.5 items-center gap-2 rounded-md px-2 font-medium ${section === id ? "bg-selected text-ink" : "text-muted hover:bg-hover hover:text-ink"}`}
            >
              <Icon size={14} aria-hidden />
              {label}
            </Link>
          ))}
        </nav>
        <div className="min-w-0 flex-1">
          {section === "providers" && <ProvidersSection />}
          {section === "appearance" && <AppearanceSection />}
          {section === "about" && <AboutSection />}
        </div>
      </div>
    </Screen>
  );
}
