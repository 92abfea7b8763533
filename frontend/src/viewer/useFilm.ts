/** The film of the viewer, filled in steps: a reduced picture, the whole film, the heatmap. */

import { useEffect, useMemo, useReducer, useState } from "preact/hooks";
import { get, imagePath, Problem } from "../api/client";
import type { Heatmap, ImageDetail } from "../api/types";
import { Film } from "./film";
import { paintHeat } from "./heat";
import { fetchPicture, type Picture } from "./pixels";

const RETRY = 1500;

/** Redraws a component with every frame of the film. */
export function useFrames(film: Film): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => film.watch(() => redraw(undefined as never)), [film]);
}

/** Resolves after a while, or at once where nobody waits any more. */
function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    window.setTimeout(resolve, RETRY);
    signal.addEventListener("abort", () => resolve());
  });
}

/** Fetches until the station answers: it may be restarting. */
async function insist<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const passing = !(error instanceof Problem) || error.status === 429 || error.status >= 503;
      if (signal.aborted || !passing) throw error;
      await pause(signal);
      if (signal.aborted) throw error;
    }
  }
}

export interface Shown {
  film: Film;
  map: Heatmap | null;
  /** Why there is no picture; empty while there is or may be one. */
  failure: string;
}

export function useFilm(image: ImageDetail): Shown {
  const film = useMemo(() => new Film(), [image.image]);
  const [map, setMap] = useState<Heatmap | null>(null);
  const [failure, setFailure] = useState("");
  const judged = image.outcome?.kind === "finding";

  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const size = image.columns && image.rows ? { width: image.columns, height: image.rows } : null;
    const show = (picture: Picture) => {
      if (!signal.aborted) film.show(picture, size);
    };
    setFailure("");
    async function load(): Promise<void> {
      show(await insist(() => fetchPicture(image.image, true, signal), signal));
      performance.mark("lungflag-first-picture");
      show(await insist(() => fetchPicture(image.image, false, signal), signal));
      performance.mark("lungflag-full-picture");
    }
    load().catch((error: unknown) => {
      if (!signal.aborted) setFailure(error instanceof Error ? error.message : String(error));
    });
    return () => {
      leaving.abort();
      film.dispose();
    };
  }, [film]);

  useEffect(() => {
    setMap(null);
    film.setHeat(null);
    if (!judged) return;
    const leaving = new AbortController();
    insist(() => get<Heatmap>(imagePath(image.image, "heatmap"), leaving.signal), leaving.signal)
      .then((answer) => {
        setMap(answer);
        film.setHeat(paintHeat(answer));
      })
      .catch(() => undefined); // the outcome stands without its map
    return () => leaving.abort();
  }, [film, judged]);

  return { film, map, failure };
}
