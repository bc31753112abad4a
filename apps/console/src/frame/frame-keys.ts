import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { queryClient } from "../api/queries.ts";
import { whoami } from "../identity/identity.ts";
import { sectionsFor } from "./navigation.ts";

/** True while the person writes: single-letter keys then belong to the text. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input, textarea, select, [role=combobox]"))
  );
}

/** True while a window is open above the screen: keys of the screen below must not fire. */
export function isCovered(): boolean {
  return document.querySelector("[role=dialog], [role=alertdialog], [role=menu], [role=listbox]") !== null;
}

/** Keys that work everywhere: the palette, the key list, and `g` followed by the letter of a section. */
export function useFrameKeys(actions: { readonly openPalette: () => void; readonly openKeys: () => void }): void {
  const navigate = useNavigate();
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    let goUntil = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        latest.current.openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isCovered()) return;
      if (event.key === "?") {
        event.preventDefault();
        latest.current.openKeys();
      } else if (event.key === "g") {
        goUntil = event.timeStamp + 1500;
      } else if (event.timeStamp < goUntil) {
        goUntil = 0;
        const section = sectionsFor(queryClient.getQueryData(whoami.queryKey)).find(
          ({ keys }) => keys === `g ${event.key}`,
        );
        if (section === undefined) return;
        // The letter meant the section, not what the screen below does with it.
        event.stopPropagation();
        void navigate({ to: section.to });
      }
    };
    // Before the screens' own keys.
    addEventListener("keydown", onKey, { capture: true });
    return () => removeEventListener("keydown", onKey, { capture: true });
  }, [navigate]);
}
