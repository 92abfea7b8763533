/** Where a film lies on the screen: screen = middle + scale · orientation · (pixel - centre). */

/** A quarter turn or mirror image as a matrix [a, b, c, d] for (ax + by, cx + dy). */
export type Orientation = readonly [number, number, number, number];

export interface View {
  /** Screen pixels of one film pixel. */
  scale: number;
  /** The film pixel in the middle of the stage. */
  x: number;
  y: number;
  orientation: Orientation;
}

export interface Size {
  width: number;
  height: number;
}

export const UPRIGHT: Orientation = [1, 0, 0, 1];
export const QUARTER: Orientation = [0, -1, 1, 0];
export const MIRROR: Orientation = [-1, 0, 0, 1];
export const FLIP: Orientation = [1, 0, 0, -1];

const LARGEST = 16;

/** Returns `first` followed by `second`. */
export function followed(first: Orientation, second: Orientation): Orientation {
  const [a, b, c, d] = first;
  const [p, q, r, s] = second;
  return [p * a + q * c, p * b + q * d, r * a + s * c, r * b + s * d];
}

export function turned([a, b, c, d]: Orientation, x: number, y: number): [number, number] {
  return [a * x + b * y, c * x + d * y];
}

/** An orthogonal matrix is undone by its transpose. */
export function unturned([a, b, c, d]: Orientation, x: number, y: number): [number, number] {
  return [a * x + c * y, b * x + d * y];
}

export function mirrored([a, b, c, d]: Orientation): boolean {
  return a * d - b * c < 0;
}

export function fitted(film: Size, stage: Size, orientation: Orientation): View {
  const [width, height] = turned(orientation, film.width, film.height).map(Math.abs);
  const scale = Math.min(stage.width / width, stage.height / height);
  return { scale, x: film.width / 2, y: film.height / 2, orientation };
}

export function panned(view: View, dx: number, dy: number): View {
  const [x, y] = unturned(view.orientation, dx / view.scale, dy / view.scale);
  return { ...view, x: view.x - x, y: view.y - y };
}

/** Zooms by a factor; the film stays where it is under (x, y), measured from the stage's middle. */
export function zoomed(view: View, factor: number, smallest: number, x = 0, y = 0): View {
  const scale = Math.min(Math.max(view.scale * factor, smallest), LARGEST);
  const [fromX, fromY] = unturned(view.orientation, x / view.scale, y / view.scale);
  const [toX, toY] = unturned(view.orientation, x / scale, y / scale);
  return { ...view, scale, x: view.x + fromX - toX, y: view.y + fromY - toY };
}

/** Where a film pixel lies on the stage. */
export function onStage(view: View, stage: Size, x: number, y: number): [number, number] {
  const [dx, dy] = turned(view.orientation, x - view.x, y - view.y);
  return [stage.width / 2 + view.scale * dx, stage.height / 2 + view.scale * dy];
}
