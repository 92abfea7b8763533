/** The shortcuts beside the page, never over the picture's middle, and how to change them. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../shell/icons";
import { prefer, usePreferences } from "../shell/preferences";
import { ACTIONS, type Action, type Where } from "./actions";
import { keyOf, slot, spoken, written } from "./keys";

const TITLES: Record<Where, string> = {
  viewer: "In the viewer",
  worklist: "On the worklist",
  everywhere: "Everywhere",
};

export function Help({ viewing, onClose }: { viewing: boolean; onClose: () => void }) {
  const chosen = usePreferences();
  const panel = useRef<HTMLElement>(null);
  const [waiting, setWaiting] = useState<Action | null>(null);
  const [refusal, setRefusal] = useState("");
  const places: Where[] = viewing ? ["viewer", "everywhere"] : ["worklist", "everywhere", "viewer"];

  useEffect(() => panel.current?.focus(), []);

  function pressed(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      event.preventDefault();
      if (waiting) setWaiting(null);
      else onClose();
      return;
    }
    if (!waiting || event.key === "Tab" || event.key === "Shift") return;
    const key = written(event);
    if (!key) return;
    event.preventDefault();
    const taken = ACTIONS.find(
      (a) =>
        a !== waiting &&
        (a.where === waiting.where || a.where === "everywhere" || waiting.where === "everywhere") &&
        keyOf(a.where, a.id) === key,
    );
    setRefusal(taken ? `${spoken(key)} already stands for “${taken.does}”.` : "");
    if (!taken) prefer({ keys: { ...chosen.keys, [slot(waiting.where, waiting.id)]: key } });
    setWaiting(null);
  }

  return (
    <aside
      class="help"
      aria-label="Keyboard shortcuts"
      tabIndex={-1}
      ref={panel}
      onKeyDown={pressed}
    >
      <div class="help-head">
        <h2>Keyboard shortcuts</h2>
        <button type="button" class="icon" aria-label="Close the shortcuts" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      <p class="quiet">Choose a key to change it. They are kept in this browser.</p>
      <label class="check">
        <input
          type="checkbox"
          checked={chosen.shortcuts}
          onChange={(event) => prefer({ shortcuts: event.currentTarget.checked })}
        />
        Single keys do things
      </label>
      <p class="refusal" role="status">
        {refusal}
      </p>
      {places.map((where) => (
        <section key={where}>
          <h3>{TITLES[where]}</h3>
          <ul class="keys">
            {ACTIONS.filter((a) => a.where === where).map((a) => (
              <li key={a.id}>
                <span>{a.does}</span>
                <button
                  type="button"
                  class="key"
                  aria-label={`${a.does}: ${spoken(keyOf(where, a.id))}, change`}
                  onClick={() => setWaiting(a)}
                >
                  {waiting === a ? "press a key" : spoken(keyOf(where, a.id))}
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      <button type="button" onClick={() => prefer({ keys: {}, shortcuts: true })}>
        Back to the keys of the house
      </button>
    </aside>
  );
}
