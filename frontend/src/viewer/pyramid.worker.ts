/** Builds the pyramid away from the page, which goes on drawing meanwhile. */

import { type Level, pyramid } from "./pyramid";

self.onmessage = ({ data }: MessageEvent<Level>) => {
  const levels = pyramid(data);
  const buffers = levels.map((level) => level.data.buffer);
  (self as unknown as Worker).postMessage(levels, buffers);
};
