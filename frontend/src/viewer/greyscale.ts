/** Window and level on the scale of the pixels, 0 black to 65535 white. */

export interface GreyWindow {
  center: number;
  width: number;
}

export const WHITE = 65535;
const NARROWEST = 64;

export interface Preset {
  name: string;
  of: (own: GreyWindow) => GreyWindow;
}

/** All relative to the film's own window, since grey values of radiographs have no unit. */
export const PRESETS: readonly Preset[] = [
  { name: "Film’s own", of: (own) => own },
  { name: "Lungs", of: ({ center, width }) => ({ center: center - 0.15 * width, width: width * 0.6 }) },
  {
    name: "Mediastinum",
    of: ({ center, width }) => ({ center: center + 0.22 * width, width: width * 0.5 }),
  },
  { name: "Bone", of: ({ center, width }) => ({ center: center + 0.12 * width, width: width * 0.8 }) },
  { name: "Soft", of: ({ center, width }) => ({ center, width: width * 1.6 }) },
  { name: "Whole range", of: () => ({ center: WHITE / 2, width: WHITE }) },
];

/** Keeps a window where it can still show something. */
export function bounded({ center, width }: GreyWindow): GreyWindow {
  return {
    center: Math.min(Math.max(center, 0), WHITE),
    width: Math.min(Math.max(width, NARROWEST), 2 * WHITE),
  };
}
