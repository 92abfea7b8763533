/** The picture, and the few words that stand in its corners. */

import { useEffect, useRef } from "preact/hooks";
import type { Heatmap, ImageDetail } from "../api/types";
import { date, who } from "../shell/facts";
import { usePreferences } from "../shell/preferences";
import type { Film } from "./film";
import { gestures, type Tool } from "./gestures";
import { PRESETS, WHITE } from "./greyscale";
import { useFrames } from "./useFilm";
import { turned } from "./view";

interface Props {
  film: Film;
  image: ImageDetail;
  map: Heatmap | null;
  tool: Tool;
  failure: string;
}

export function Stage({ film, image, map, tool, failure }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const chosen = useRef(tool);
  chosen.current = tool;

  useEffect(() => {
    const stage = element.current;
    const screen = canvas.current;
    if (!stage || !screen) return;
    film.attach(screen);
    const measure = () => {
      const dots = window.devicePixelRatio || 1;
      screen.width = Math.max(1, Math.round(stage.clientWidth * dots));
      screen.height = Math.max(1, Math.round(stage.clientHeight * dots));
      film.resize({ width: screen.width, height: screen.height });
    };
    const watcher = new ResizeObserver(measure);
    watcher.observe(stage);
    measure();
    const lost = (event: Event) => event.preventDefault();
    const back = () => film.attach(screen);
    screen.addEventListener("webglcontextlost", lost);
    screen.addEventListener("webglcontextrestored", back);
    const end = gestures(stage, film, () => chosen.current);
    return () => {
      watcher.disconnect();
      screen.removeEventListener("webglcontextlost", lost);
      screen.removeEventListener("webglcontextrestored", back);
      end();
    };
  }, [film]);

  return (
    <div class={`stage stage-${tool}`} ref={element}>
      <canvas ref={canvas} key={image.image} role="img" aria-label={described(image)} />
      <Words film={film} image={image} map={map} failure={failure} />
    </div>
  );
}

function described(image: ImageDetail): string {
  const view = image.view_position ? `, ${image.view_position}` : "";
  return `Chest radiograph${view}. The result stands beside it in words.`;
}

type WordsProps = Omit<Props, "tool">;

function Words({ film, image, map, failure }: WordsProps) {
  useFrames(film);
  const { hidePatient } = usePreferences();
  const share = (value: number) => Math.round((100 * value) / WHITE);
  const preset = film.preset >= 0 ? PRESETS[film.preset].name : "own window";
  const dots = window.devicePixelRatio || 1;
  return (
    <div class="words" data-picture={film.picture} data-renderer={film.kind}>
      <p class="corner top-left">
        <strong>{who(image, hidePatient)}</strong>
        <span>{hidePatient ? "" : image.patient_id}</span>
      </p>
      <p class="corner top-right">
        <span>{date(image.study_date)}</span>
        <span>{[image.modality, image.view_position].filter(Boolean).join(" · ")}</span>
      </p>
      <p class="corner bottom-left" data-window={`${film.window.center} ${film.window.width}`}>
        <span>
          L {share(film.window.center)} % · W {share(film.window.width)} %
        </span>
        <span>
          zoom {Math.round(100 * film.view.scale)} % · {preset}
          {film.inverted ? " · inverted" : ""}
        </span>
      </p>
      {film.picture !== "none" && (
        <>
          <Side film={film} side={-1} dots={dots} />
          <Side film={film} side={1} dots={dots} />
          <Scale film={film} dots={dots} />
          {map && film.heat > 0 && <Mark film={film} map={map} dots={dots} />}
        </>
      )}
      {(film.mirrored || !film.upright) && (
        <p class="turned">{film.mirrored ? "Mirrored" : "Rotated"} on the screen</p>
      )}
      {film.picture === "none" && !failure && <p class="waiting">Fetching the picture…</p>}
      {film.picture === "reduced" && <p class="sharpening">reduced picture</p>}
      {failure && (
        <p class="waiting" role="alert">
          The picture cannot be shown: {failure}
        </p>
      )}
    </div>
  );
}

/**
 * R or L at the edge of the stage where that side of a film in display convention lies. It turns
 * with the film. The film's own marker counts: these letters are the viewer's.
 */
function Side({ film, side, dots }: { film: Film; side: -1 | 1; dots: number }) {
  const [x, y] = turned(film.view.orientation, side, 0);
  const reach = 0.5 * Math.abs(x ? film.stage.width : film.stage.height);
  const [mx, my] = film.place(film.size.width / 2, film.size.height / 2);
  const half = (film.size.width / 2) * film.view.scale;
  const inset = 16 * dots;
  const along = Math.min(half, Math.max(reach - inset * 1.5, 0)) - inset;
  const middle = [film.stage.width / 2, film.stage.height / 2];
  const left = (x ? middle[0] + x * along + (half < reach ? mx - middle[0] : 0) : middle[0]) / dots;
  const top = (y ? middle[1] + y * along + (half < reach ? my - middle[1] : 0) : middle[1] * 0.5) / dots;
  return (
    <span
      class="side"
      style={{ left: `${left}px`, top: `${top}px` }}
      title="The viewer's letter, by display convention; the film's own marker counts"
    >
      {side < 0 ? "R" : "L"}
    </span>
  );
}

const LENGTHS = [200, 100, 50, 20, 10, 5, 2, 1];

function Scale({ film, dots }: { film: Film; dots: number }) {
  if (!film.spacing) {
    return <p class="corner bottom-right quiet-scale">no scale: pixel spacing unknown</p>;
  }
  const perMm = film.view.scale / film.spacing[1] / dots;
  const most = Math.min(film.stage.width / dots / 3, 240);
  const length = LENGTHS.find((mm) => mm * perMm <= most) ?? 1;
  return (
    <p class="corner bottom-right" title="Measured at the detector; the body is a little smaller">
      <span class="bar" style={{ width: `${length * perMm}px` }} />
      <span>{length >= 10 ? `${length / 10} cm` : `${length} mm`} at the detector</span>
    </p>
  );
}

/** The region that the delivered report marks. */
function Mark({ film, map, dots }: { film: Film; map: Heatmap; dots: number }) {
  const corners = (map.peak ?? []).map(([column, row]) => {
    const x = (column / map.columns) * film.size.width;
    const y = (row / map.rows) * film.size.height;
    return film.place(x, y).map((place) => place / dots);
  });
  if (corners.length < 3) return null;
  return (
    <svg class={film.grey ? "peak peak-grey" : "peak"} aria-hidden="true">
      <polygon points={corners.join(" ")} />
    </svg>
  );
}
