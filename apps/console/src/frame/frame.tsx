import { Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { Compass } from "lucide-react";
import { Button } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { EmptyState } from "../components/empty-state.tsx";
import { Screen } from "../components/screen.tsx";
import { NoSignInBanner } from "../workspaces/no-sign-in-banner.tsx";
import { useFrameKeys } from "./frame-keys.ts";
import { KeyList } from "./key-list.tsx";
import { BottomBar, Rail } from "./rail.tsx";
import { RunningRuns } from "./running-runs.tsx";

const CommandPalette = lazy(() => import("./command-palette.tsx"));

/** What surrounds every screen: the rail (a bottom bar on narrow screens), the palette, the key list, runs in progress. */
export function Frame() {
  const [paletteOpen, setPaletteOpen] = useState(false);
  const [keysOpen, setKeysOpen] = useState(false);
  const [wide, setWide] = useState(() => localStorage.getItem("benchtop.rail") !== "narrow");
  const path = useRouterState({ select: (state) => state.location.pathname });
  const inWorkbench = /^\/workbenches\/./.test(path);
  useFrameKeys({ openPalette: () => setPaletteOpen(true), openKeys: () => setKeysOpen(true) });
  const toggleWide = () => {
    localStorage.setItem("benchtop.rail", wide ? "narrow" : "wide");
    setWide(!wide);
  };
  return (
    <div className="flex h-full flex-col">
      <NoSignInBanner />
      <div className="flex min-h-0 flex-1 flex-col sm:flex-row">
        <a
          href="#main"
          className="absolute top-2 left-2 z-50 -translate-y-20 rounded-md bg-accent px-3 py-1.5 text-on-accent focus:translate-y-0"
        >
          Skip to content
        </a>
        <Rail
          wide={wide && !inWorkbench}
          {...(!inWorkbench && { onToggle: toggleWide })}
          onSearch={() => setPaletteOpen(true)}
          onKeys={() => setKeysOpen(true)}
        />
        <RunningRuns className="border-b border-line px-3 py-1.5 sm:hidden" />
        <div
          className={classes(
            "flex min-h-0 min-w-0 flex-1 bg-surface",
            "sm:my-1.5 sm:mr-1.5 sm:overflow-hidden sm:rounded-lg sm:border sm:border-line sm:shadow-raised",
          )}
        >
          <Outlet />
        </div>
        <BottomBar onSearch={() => setPaletteOpen(true)} />
      </div>
      {paletteOpen && (
        <Suspense>
          <CommandPalette onClose={() => setPaletteOpen(false)} onKeys={() => setKeysOpen(true)} />
        </Suspense>
      )}
      <KeyList open={keysOpen} onClose={() => setKeysOpen(false)} />
    </div>
  );
}

export function NotFoundScreen() {
  const navigate = useNavigate();
  return (
    <Screen title="Nothing here">
      <EmptyState
        icon={<Compass size={18} aria-hidden />}
        title="Nothing lives at this address"
        action={<Button onClick={() => void navigate({ to: "/" })}>Go to Home</Button>}
      >
        The link may be old, or what it named was deleted.
      </EmptyState>
    </Screen>
  );
}
