/** One film on the stage: everything that a reader may turn, and the drawing of it. */

import { CanvasPainter } from "./canvas";
import { bounded, type GreyWindow, PRESETS } from "./greyscale";
import type { Painter } from "./painter";
import type { Picture } from "./pixels";
import type { Level } from "./pyramid";
import {
  FLIP,
  fitted,
  followed,
  MIRROR,
  mirrored,
  type Orientation,
  onStage,
  panned,
  QUARTER,
  type Size,
  UPRIGHT,
  type View,
  zoomed,
} from "./view";
import { WebglPainter } from "./webgl";

/** Whether WebGL here is an imitation on the CPU; asked once, on a canvas of its own. */
let imitated: boolean | undefined;

function isImitated(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return true;
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

function painterOn(canvas: HTMLCanvasElement): Painter {
  const wanted = new URLSearchParams(location.search).get("renderer");
  // Without a graphics processor a table of grey values is faster than its imitation.
  const plain = wanted === "canvas" || (wanted !== "webgl" && (imitated ??= isImitated()));
  const gl = plain ? null : canvas.getContext("webgl2", { antialias: false, depth: false });
  if (gl) {
    try {
      return new WebglPainter(gl);
    } catch {
      // A context that cannot compile is as good as none; a fresh canvas would be needed for 2D.
    }
  }
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot draw");
  return new CanvasPainter(context);
}

export class Film {
  window: GreyWindow = PRESETS[0].of({ center: 32767.5, width: 65535 });
  own: GreyWindow = this.window;
  preset = 0;
  inverted = false;
  view: View = { scale: 1, x: 0, y: 0, orientation: UPRIGHT };
  stage: Size = { width: 1, height: 1 };
  size: Size = { width: 1, height: 1 };
  spacing: [number, number] | null = null;
  picture: "none" | "reduced" | "full" = "none";
  heat = 0;
  grey = false;
  private fits = true;
  private touched = false;
  private scheduled = 0;
  private painter: Painter | null = null;
  private levels: Level[] | null = null;
  private marks: ImageData | null = null;
  private readonly listeners = new Set<() => void>();

  /** Draws on this canvas from now on; again after a graphics context came back. */
  attach(canvas: HTMLCanvasElement): void {
    this.painter = painterOn(canvas);
    if (this.levels) this.painter.setFilm(this.levels);
    this.painter.setHeat(this.marks);
    this.change();
  }

  get kind(): string {
    return this.painter?.kind ?? "none";
  }

  get mirrored(): boolean {
    return mirrored(this.view.orientation);
  }

  get upright(): boolean {
    return this.view.orientation.join() === UPRIGHT.join();
  }

  dispose(): void {
    cancelAnimationFrame(this.scheduled);
    this.painter?.dispose();
    this.painter = null;
  }

  /** Calls after every drawn frame; returns the function that ends it. */
  watch(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  resize(stage: Size): void {
    this.stage = stage;
    if (this.fits) this.fit();
    this.change();
  }

  show(picture: Picture, size: Size | null): void {
    if (picture.reduced && this.picture === "full") return;
    const [{ rows, columns }] = picture.levels;
    const first = this.picture === "none";
    this.size = picture.reduced && size ? size : { width: columns, height: rows };
    this.spacing = picture.reduced ? this.spacing : picture.spacing;
    this.picture = picture.reduced ? "reduced" : "full";
    this.own = picture.window;
    if (!this.touched) this.window = PRESETS[this.preset].of(this.own);
    if (first || this.fits) this.fit();
    this.levels = picture.levels;
    this.painter?.setFilm(picture.levels);
    this.change();
  }

  setHeat(picture: ImageData | null): void {
    this.marks = picture;
    this.painter?.setHeat(picture);
    this.change();
  }

  setMark(heat: number, grey: boolean): void {
    this.heat = heat;
    this.grey = grey;
    this.change();
  }

  setWindow(window: GreyWindow): void {
    this.window = bounded(window);
    this.touched = true;
    this.preset = -1;
    this.change();
  }

  usePreset(index: number): void {
    this.preset = (index + PRESETS.length) % PRESETS.length;
    this.window = bounded(PRESETS[this.preset].of(this.own));
    this.touched = this.preset !== 0;
    this.change();
  }

  /** Brighter and wider by shares of the film's own window. */
  nudge(brighter: number, wider: number): void {
    const { center, width } = this.window;
    this.setWindow({ center: center - brighter * this.own.width, width: width * (1 + wider) });
  }

  invert(): void {
    this.inverted = !this.inverted;
    this.change();
  }

  fit(): void {
    this.fits = true;
    this.view = fitted(this.size, this.stage, this.view.orientation);
    this.change();
  }

  actual(): void {
    this.zoom(1 / this.view.scale);
  }

  zoom(factor: number, x = 0, y = 0): void {
    const smallest = fitted(this.size, this.stage, this.view.orientation).scale / 4;
    this.fits = false;
    this.view = zoomed(this.view, factor, smallest, x, y);
    this.change();
  }

  pan(dx: number, dy: number): void {
    this.fits = false;
    this.view = panned(this.view, dx, dy);
    this.change();
  }

  private turn(by: Orientation): void {
    this.view = { ...this.view, orientation: followed(this.view.orientation, by) };
    if (this.fits) this.fit();
    this.change();
  }

  rotate(): void {
    this.turn(QUARTER);
  }

  mirror(): void {
    this.turn(MIRROR);
  }

  flip(): void {
    this.turn(FLIP);
  }

  /** Upright, fitted, and in the film's own window. */
  reset(): void {
    this.view = { ...this.view, orientation: UPRIGHT };
    this.inverted = false;
    this.fit();
    this.usePreset(0);
  }

  place(x: number, y: number): [number, number] {
    return onStage(this.view, this.stage, x, y);
  }

  /** Draws with the browser's next frame, once, however much has changed until then. */
  change(): void {
    if (this.scheduled) return;
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0;
      const { stage, size: film, view, window, inverted, heat, grey } = this;
      const more = this.painter?.draw({ stage, film, view, window, inverted, heat, grey });
      for (const listener of this.listeners) listener();
      if (more) this.change();
    });
  }
}
