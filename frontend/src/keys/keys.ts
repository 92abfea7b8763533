/** Single keys, each of them a reader's to choose or to switch off. */

import { useEffect, useRef } from "preact/hooks";
import { preferences } from "../shell/preferences";
import { ACTIONS, type Where } from "./actions";

/** The name under which a reader's own key for an action is kept. */
export function slot(where: Where, id: string): string {
  return `${where}.${id}`;
}

/** The key that stands for an action in this browser. */
export function keyOf(where: Where, id: string): string {
  const own = preferences().keys[slot(where, id)];
  return own ?? ACTIONS.find((a) => a.where === where && a.id === id)?.key ?? "";
}

/** How a pressed key is written here; empty where it is none of ours to take. */
export function written(event: KeyboardEvent): string {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return "";
  if (event.key.length === 1) return event.key.toLowerCase();
  return (event.shiftKey ? "Shift+" : "") + event.key;
}

/** A key as people read it. */
export function spoken(key: string): string {
  return key
    .replace("Shift+", "⇧ ")
    .replace("ArrowUp", "↑")
    .replace("ArrowDown", "↓")
    .replace("ArrowLeft", "←")
    .replace("ArrowRight", "→")
    .replace(/^[a-z]$/, (letter) => letter.toUpperCase());
}

const TYPING =
  "input:not([type=checkbox], [type=button], [type=range]), textarea, select, [contenteditable]";
/** What a slider that has the focus takes for itself. */
const SLIDING = /^(Arrow|Home|End|Page)/;

/** Calls the handlers of the actions of one place; keys typed into fields stay there. */
export function useKeys(handlers: Record<string, () => void>, where: Where = "everywhere"): void {
  // The newest handlers, however soon after a change the key comes.
  const newest = useRef(handlers);
  newest.current = handlers;

  useEffect(() => {
    function pressed(event: KeyboardEvent): void {
      const target = event.target as HTMLElement;
      if (!preferences().shortcuts || event.defaultPrevented || target.closest(TYPING)) return;
      const key = written(event);
      if (!key || (target.matches("[type=range]") && SLIDING.test(key))) return;
      for (const [id, run] of Object.entries(newest.current)) {
        if (keyOf(where, id) !== key) continue;
        event.preventDefault();
        run();
        return;
      }
    }
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [where]);
}
