import { useSyncExternalStore } from "react";

/** Light, dark or high contrast as chosen, or as the system says. `public/start.js` does the same before the first paint. */
export const appearances = ["system", "light", "dark", "high-contrast"] as const;
export type Appearance = (typeof appearances)[number];

const key = "benchtop.appearance";
const listeners = new Set<() => void>();

export function setAppearance(appearance: Appearance): void {
  localStorage.setItem(key, appearance);
  apply();
  for (const listener of listeners) listener();
}

export function useAppearance(): Appearance {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, read);
}

export function followSystemAppearance(): void {
  for (const media of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
    matchMedia(media).addEventListener("change", apply);
  }
  apply();
}

function read(): Appearance {
  const stored = localStorage.getItem(key);
  return appearances.find((appearance) => appearance === stored) ?? "system";
}

function apply(): void {
  const chosen = read();
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const more = chosen === "high-contrast" || matchMedia("(prefers-contrast: more)").matches;
  const { dataset } = document.documentElement;
  dataset["theme"] = chosen === "light" || chosen === "dark" ? chosen : dark ? "dark" : "light";
  dataset["contrast"] = more ? "more" : "normal";
}
