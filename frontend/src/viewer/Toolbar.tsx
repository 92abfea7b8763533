/** Everything that the keys do, for the mouse and for fingers. */

import type { ComponentChildren } from "preact";
import { keyOf, spoken } from "../keys/keys";
import { Icon, type IconName } from "../shell/icons";
import { prefer, usePreferences } from "../shell/preferences";
import type { Film } from "./film";
import type { Tool } from "./gestures";
import { PRESETS } from "./greyscale";
import { COLOURS, FULL_SCALE } from "./heat";
import { useFrames } from "./useFilm";

interface Props {
  film: Film;
  tool: Tool;
  onTool: (tool: Tool) => void;
  hasMap: boolean;
}

const TOOLS: readonly [Tool, IconName, string][] = [
  ["window", "window", "Drag for window and level"],
  ["pan", "pan", "Drag to move; also with the middle button or Shift"],
  ["zoom", "zoom", "Drag to zoom; also with the right button or the wheel"],
];

export function Toolbar({ film, tool, onTool, hasMap }: Props) {
  useFrames(film);
  return (
    <div class="toolbar" role="group" aria-label="Picture">
      <span class="group">
        {TOOLS.map(([name, icon, title]) => (
          <button
            key={name}
            type="button"
            class="icon"
            aria-pressed={tool === name}
            aria-label={title}
            title={title}
            onClick={() => onTool(name)}
          >
            <Icon name={icon} />
          </button>
        ))}
      </span>
      <select
        aria-label="Window preset"
        title={`Window preset (${spoken(keyOf("viewer", "preset"))})`}
        value={String(film.preset)}
        onChange={(event) => {
          film.usePreset(Number(event.currentTarget.value));
          event.currentTarget.blur();
        }}
      >
        {film.preset < 0 && <option value="-1">Own window</option>}
        {PRESETS.map((preset, index) => (
          <option key={preset.name} value={String(index)}>
            {preset.name}
          </option>
        ))}
      </select>
      <span class="group">
        <Do id="invert" icon="invert" label="Invert" pressed={film.inverted} run={() => film.invert()} />
        <Do id="further" icon="minus" label="Zoom out" run={() => film.zoom(1 / 1.25)} />
        <Do id="closer" icon="plus" label="Zoom in" run={() => film.zoom(1.25)} />
        <Do id="fit" icon="fit" label="Fit" run={() => film.fit()} />
        <Do id="actual" label="Actual pixels" run={() => film.actual()}>
          1:1
        </Do>
        <Do id="rotate" icon="rotate" label="Rotate by a quarter" run={() => film.rotate()} />
        <Do id="mirror" icon="mirror" label="Mirror" pressed={film.mirrored} run={() => film.mirror()} />
        <Do id="flip" icon="flip" label="Flip top and bottom" run={() => film.flip()} />
        <button
          type="button"
          class="icon"
          aria-label="Reset the picture"
          title="Reset the picture"
          onClick={() => film.reset()}
        >
          <Icon name="undo" />
        </button>
      </span>
      {hasMap && <HeatControl />}
    </div>
  );
}

interface DoProps {
  id: string;
  icon?: IconName;
  label: string;
  pressed?: boolean;
  run: () => void;
  children?: ComponentChildren;
}

function Do({ id, icon, label, pressed, run, children }: DoProps) {
  const key = keyOf("viewer", id);
  return (
    <button
      type="button"
      class="icon"
      aria-pressed={pressed}
      aria-label={label}
      aria-keyshortcuts={key}
      title={`${label} (${spoken(key)})`}
      onClick={run}
    >
      {icon ? <Icon name={icon} /> : children}
    </button>
  );
}

function HeatControl() {
  const { heatmap, opacity } = usePreferences();
  const key = spoken(keyOf("viewer", "heatmap"));
  return (
    <span class="group heat">
      <button
        type="button"
        aria-pressed={heatmap}
        title={`Heatmap on and off (${key})`}
        onClick={() => prefer({ heatmap: !heatmap })}
      >
        <Icon name="heat" /> Heatmap
      </button>
      <input
        type="range"
        min="0"
        max="100"
        step="5"
        aria-label="Opacity of the heatmap"
        aria-valuetext={`${Math.round(100 * opacity)} per cent`}
        value={Math.round(100 * opacity)}
        onInput={(event) => prefer({ opacity: Number(event.currentTarget.value) / 100, heatmap: true })}
      />
      <Key />
    </span>
  );
}

function Key() {
  const rgb = (colour: readonly number[]) => `rgb(${colour.join(" ")})`;
  return (
    <span class="heat-key" title="Evidence for pneumonia, in logits; the scale is the same for every film">
      <span>0</span>
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <defs>
          <linearGradient id="heat-colours">
            {COLOURS.map(([place, colour]) => (
              <stop key={place} offset={place} stop-color={rgb(colour)} />
            ))}
          </linearGradient>
        </defs>
        <rect width="100" height="8" fill="url(#heat-colours)" />
      </svg>
      <span>{FULL_SCALE} logits</span>
    </span>
  );
}
