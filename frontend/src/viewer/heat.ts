/** The heatmap as a picture: only evidence for pneumonia, on the delivered overlay's scale. */

import type { Heatmap } from "../api/types";

/** Logits at which the last colour is reached; absolute, so that films can be compared. */
export const FULL_SCALE = 12;
const LONGEST = 256;

/** The colours of the delivered overlays: lightness rises steadily for every kind of vision. */
export const COLOURS: readonly [number, readonly [number, number, number]][] = [
  [0, [72, 12, 104]],
  [0.35, [176, 42, 94]],
  [0.7, [246, 124, 22]],
  [1, [252, 250, 150]],
];

function colour(strength: number): [number, number, number] {
  for (let i = 1; i < COLOURS.length; i++) {
    const [place, to] = COLOURS[i];
    const [before, from] = COLOURS[i - 1];
    if (strength > place && i < COLOURS.length - 1) continue;
    const share = (strength - before) / (place - before);
    return [0, 1, 2].map((c) => from[c] + share * (to[c] - from[c])) as [number, number, number];
  }
  return [0, 0, 0];
}

/** Weights of the four neighbours of a place between them (Catmull and Rom). */
function weights(t: number): [number, number, number, number] {
  const t2 = t * t;
  const t3 = t2 * t;
  return [
    (-t3 + 2 * t2 - t) / 2,
    (3 * t3 - 5 * t2 + 2) / 2,
    (-3 * t3 + 4 * t2 + t) / 2,
    (t3 - t2) / 2,
  ];
}

/** Stretches rows of values to a new length. */
function stretch(rows: number[][], length: number): number[][] {
  return rows.map((row) => {
    const ratio = row.length / length;
    return Array.from({ length }, (_, i) => {
      const place = (i + 0.5) * ratio - 0.5;
      const first = Math.floor(place);
      return weights(place - first).reduce((sum, weight, k) => {
        const at = Math.min(Math.max(first - 1 + k, 0), row.length - 1);
        return sum + weight * row[at];
      }, 0);
    });
  });
}

const transposed = (rows: number[][]): number[][] => rows[0].map((_, x) => rows.map((row) => row[x]));

/** Returns the map as RGBA of which the opacity is the strength. */
export function paintHeat(map: Heatmap): ImageData {
  const grow = Math.max(1, Math.floor(LONGEST / Math.max(map.rows, map.columns)));
  const [width, height] = [map.columns * grow, map.rows * grow];
  const wide = stretch(map.values, width);
  const smooth = transposed(stretch(transposed(wide), height));
  const picture = new ImageData(width, height);
  smooth.flat().forEach((logit, i) => {
    const strength = Math.min(Math.max(logit / FULL_SCALE, 0), 1);
    picture.data.set([...colour(strength), 255 * strength ** 0.7], 4 * i);
  });
  return picture;
}
