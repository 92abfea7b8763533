/** What draws a film, whichever way. */

import type { GreyWindow } from "./greyscale";
import type { Level } from "./pyramid";
import type { Size, View } from "./view";

export interface Frame {
  /** The stage in screen pixels. */
  stage: Size;
  /** The whole film in its own pixels, whatever picture of it is at hand. */
  film: Size;
  view: View;
  window: GreyWindow;
  inverted: boolean;
  /** Opacity of the strongest evidence; 0 draws no heatmap. */
  heat: number;
  /** Draws the heatmap without its colours: a reader disagrees. */
  grey: boolean;
}

export interface Painter {
  readonly kind: "webgl" | "canvas";
  /** The levels, the largest first. */
  setFilm(levels: Level[]): void;
  setHeat(picture: ImageData | null): void;
  /** Returns whether another frame would show more. */
  draw(frame: Frame): boolean;
  dispose(): void;
}

/** The level whose pixels come closest to the screen's. */
export function levelFor(levels: Level[], film: Size, scale: number): number {
  const ratio = levels[0].columns / film.width / scale;
  const wanted = Math.round(Math.log2(Math.max(ratio, 1e-6)));
  return Math.min(Math.max(wanted, 0), levels.length - 1);
}
