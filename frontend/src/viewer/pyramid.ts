/** A film at full size and at every half of it, so that any zoom samples without aliasing. */

export interface Level {
  rows: number;
  columns: number;
  data: Uint16Array;
}

const SMALLEST = 256;

/** Returns a level of half the size; every value is the mean of four. */
function halve({ rows, columns, data }: Level): Level {
  const height = (rows + 1) >> 1;
  const width = (columns + 1) >> 1;
  const half = new Uint16Array(height * width);
  for (let y = 0, at = 0; y < height; y++) {
    const upper = 2 * y * columns;
    const lower = Math.min(2 * y + 1, rows - 1) * columns;
    for (let x = 0; x < width; x++, at++) {
      const left = 2 * x;
      const right = left + 1 < columns ? left + 1 : left;
      const sum = data[upper + left] + data[upper + right] + data[lower + left] + data[lower + right];
      half[at] = (sum + 2) >> 2;
    }
  }
  return { rows: height, columns: width, data: half };
}

/** Returns the levels, the largest first. */
export function pyramid(base: Level): Level[] {
  const levels = [base];
  let last = base;
  while (Math.max(last.rows, last.columns) > SMALLEST) {
    last = halve(last);
    levels.push(last);
  }
  return levels;
}
