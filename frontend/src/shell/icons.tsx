/** The station's few pictures, drawn as strokes so that they take the colour of their text. */

const PATHS = {
  lungs: "M10.500 4v7c0 1.500-1.500 2.500-3 3.500S4 17.500 4 20h4.500c1.200 0 2-.8 2-2V4zM13.500 4v7c0 1.500 1.500 2.500 3 3.500s3.500 3 3.500 5.500h-4.500c-1.200 0-2-.8-2-2V4z",
  shown: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  hidden: "M3 3l18 18M10 5.200A10 10 0 0 1 12 5c6 0 10 7 10 7a17 17 0 0 1-3.300 4M6.500 6.500A16 16 0 0 0 2 12s4 7 10 7a10 10 0 0 0 5-1.400",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.500M12 19.500V22M2 12h2.500M19.500 12H22M5 5l1.700 1.700M17.300 17.300 19 19M5 19l1.700-1.700M17.300 6.700 19 5",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z",
  keyboard: "M3 6h18v12H3zM6.500 10h.01M10 10h.01M13.500 10h.01M17 10h.01M8 14.500h8",
  flag: "M6 21V4h11l-2 4 2 4H6",
  // No tick: what is not flagged has not been cleared.
  clear: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM8.500 12h7",
  reject: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM6.500 6.500l11 11",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.500l3 2",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  invert: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 4v16M12 8h3.500M12 12h4M12 16h3.500",
  rotate: "M19 12a7 7 0 1 1-2.500-5.400M19 3v4.500h-4.500",
  mirror: "M12 3v18M9 7 3 17h6zM15 7l6 10h-6z",
  flip: "M3 12h18M7 9 17 3v6zM7 15l10 6v-6z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  pan: "M12 3v18M3 12h18M12 3 9.500 5.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  window: "M4 18c5 0 3-12 8-12s3 12 8 12M4 21h16",
  heat: "M12 3c1 4 5 6 5 11a5 5 0 0 1-10 0c0-2 1-3.500 2-4.500.3 1.500 1 2 1.800 2.300C10.500 9 11 6 12 3z",
  upload: "M12 16V4M7 9l5-5 5 5M4 20h16",
  zoom: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.300 15.300 20 20M8 10.500h5M10.500 8v5",
  close: "M6 6l12 12M18 6 6 18",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  undo: "M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="glyph" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
