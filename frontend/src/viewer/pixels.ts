/** Fetches a film's presentation-correct grey values, a reduced picture first. */

import { imagePath, send } from "../api/client";
import type { GreyWindow } from "./greyscale";
import { type Level, pyramid } from "./pyramid";

export interface Picture {
  levels: Level[];
  /** The window that the film asks for. */
  window: GreyWindow;
  /** Millimetres at the detector from row to row and from column to column, where known. */
  spacing: [number, number] | null;
  reduced: boolean;
}

/** Longest side of the first picture. */
const REDUCED = 1024;
const FULL_RANGE: GreyWindow = { center: 32767.5, width: 65535 };

function number(headers: Headers, name: string, otherwise: number): number {
  const value = Number.parseFloat(headers.get(name) ?? "");
  return Number.isFinite(value) ? value : otherwise;
}

function spacing(headers: Headers): [number, number] | null {
  const [row, column] = (headers.get("X-Pixel-Spacing") ?? "").split(/[\\,\s]+/).map(Number.parseFloat);
  if (!(row > 0)) return null;
  return [row, column > 0 ? column : row];
}

function inWorker(base: Level): Promise<Level[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./pyramid.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Level[]>) => {
      worker.terminate();
      resolve(data);
    };
    worker.onerror = (event) => {
      worker.terminate();
      reject(new Error(event.message));
    };
    worker.postMessage(base, [base.data.buffer]);
  });
}

/** Fetches one picture of an image: the whole film, or at most `REDUCED` pixels a side. */
export async function fetchPicture(
  image: string,
  reduced: boolean,
  signal?: AbortSignal,
): Promise<Picture> {
  const response = await send(imagePath(image, reduced ? `pixels?max=${REDUCED}` : "pixels"), { signal });
  const { headers } = response;
  const data = new Uint16Array(await response.arrayBuffer());
  const rows = number(headers, "X-Rows", 0);
  const columns = number(headers, "X-Columns", 0);
  if (rows < 1 || columns < 1 || data.length !== rows * columns) {
    throw new Error("the picture came incomplete");
  }
  const base = { rows, columns, data };
  return {
    levels: reduced ? pyramid(base) : await inWorker(base),
    window: {
      center: number(headers, "X-Window-Center", FULL_RANGE.center),
      width: Math.max(1, number(headers, "X-Window-Width", FULL_RANGE.width)),
    },
    spacing: spacing(headers),
    reduced,
  };
}
