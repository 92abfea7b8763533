/** Draws without a graphics processor: a table of grey values, and the browser's own scaling. */

import { type GreyWindow, WHITE } from "./greyscale";
import { type Frame, levelFor, type Painter } from "./painter";
import type { Level } from "./pyramid";

/** Pixels windowed in one frame; beyond it the next smaller level serves. */
const MOST = 3 << 20;

export class CanvasPainter implements Painter {
  readonly kind = "canvas";
  private readonly film = document.createElement("canvas");
  private heat: HTMLCanvasElement | null = null;
  private levels: Level[] = [];
  private readonly table = new Uint32Array(WHITE + 1);
  private picture: ImageData | null = null;
  private painted = "";
  private set = 0;

  constructor(private readonly context: CanvasRenderingContext2D) {}

  setFilm(levels: Level[]): void {
    this.levels = levels;
    this.set += 1;
  }

  setHeat(picture: ImageData | null): void {
    this.heat = null;
    if (!picture) return;
    this.heat = document.createElement("canvas");
    this.heat.width = picture.width;
    this.heat.height = picture.height;
    this.heat.getContext("2d")?.putImageData(picture, 0, 0);
  }

  draw(frame: Frame): boolean {
    const { context } = this;
    const { stage, film, view } = frame;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, stage.width, stage.height);
    if (!this.levels.length) return false;
    let index = levelFor(this.levels, film, view.scale);
    while (this.levels[index].data.length > MOST && index < this.levels.length - 1) index += 1;
    this.paint(index, frame.window, frame.inverted);
    const [a, b, c, d] = view.orientation;
    const s = view.scale;
    context.setTransform(s * a, s * c, s * b, s * d, stage.width / 2, stage.height / 2);
    context.translate(-view.x, -view.y);
    context.drawImage(this.film, 0, 0, film.width, film.height);
    if (this.heat && frame.heat > 0) {
      context.globalAlpha = frame.heat;
      context.filter = frame.grey ? "grayscale(1)" : "none";
      context.drawImage(this.heat, 0, 0, film.width, film.height);
      context.filter = "none";
      context.globalAlpha = 1;
    }
    return false;
  }

  dispose(): void {
    this.levels = [];
    this.film.width = 0;
  }

  /** Windows one level into the canvas behind, unless it lies there already. */
  private paint(index: number, window: GreyWindow, inverted: boolean): void {
    const state = [this.set, index, window.center, window.width, inverted].join();
    if (state === this.painted) return;
    this.painted = state;
    const { rows, columns, data } = this.levels[index];
    if (this.film.width !== columns || this.film.height !== rows) {
      this.film.width = columns;
      this.film.height = rows;
      this.picture = null;
    }
    const { table } = this;
    const low = window.center - window.width / 2;
    for (let value = 0; value <= WHITE; value++) {
      const share = Math.min(Math.max((value - low) / window.width, 0), 1);
      const grey = Math.round(255 * (inverted ? 1 - share : share));
      table[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    const picture = (this.picture ??= new ImageData(columns, rows));
    const out = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < data.length; i++) out[i] = table[data[i]];
    this.film.getContext("2d")?.putImageData(picture, 0, 0);
  }
}
