/** What a reader has chosen, kept in this browser. Holds nothing of any patient. */

import { useEffect, useState } from "preact/hooks";

export interface Preferences {
  theme: "system" | "dark" | "light";
  hidePatient: boolean;
  shortcuts: boolean;
  keys: Record<string, string>;
  heatmap: boolean;
  opacity: number;
  advance: boolean;
}

const NAME = "lungflag.preferences";
const DEFAULTS: Preferences = {
  theme: "system",
  hidePatient: false,
  shortcuts: true,
  keys: {},
  heatmap: true,
  opacity: 0.45,
  advance: false,
};

function load(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(NAME) ?? "{}") as object) };
  } catch {
    return DEFAULTS;
  }
}

let current = load();
const listeners = new Set<(preferences: Preferences) => void>();

export function preferences(): Preferences {
  return current;
}

export function prefer(changes: Partial<Preferences>): void {
  current = { ...current, ...changes };
  try {
    localStorage.setItem(NAME, JSON.stringify(current));
  } catch {
    // A browser without storage forgets, and goes on.
  }
  applyTheme();
  for (const listener of listeners) listener(current);
}

export function usePreferences(): Preferences {
  const [state, setState] = useState(current);
  useEffect(() => {
    listeners.add(setState);
    setState(current);
    return () => {
      listeners.delete(setState);
    };
  }, []);
  return state;
}

export function isDark(): boolean {
  if (current.theme !== "system") return current.theme === "dark";
  return !window.matchMedia("(prefers-color-scheme: light)").matches;
}

/** Writes the theme onto the document, where the style sheet reads it. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
}
