import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/client";
import { useSession } from "../shell/session";
import type { Quality } from "./types";

/** While images come in every second, the page asks no more often than this. */
const PAUSE = 3000;

export interface Loaded {
  found: Quality | null;
  failure: Error | null;
}

/** The page's figures, fetched again whenever the worklist changes. */
export function useQuality(query: string): Loaded {
  const { version } = useSession();
  const [loaded, setLoaded] = useState<Loaded & { at: number; query: string }>({
    found: null,
    failure: null,
    at: 0,
    query: "",
  });
  const busy = useRef("");
  useEffect(() => {
    // Changes come faster than answers may: one that is under way for this question is awaited.
    if (busy.current === query) return;
    const wait = loaded.query === query ? Math.max(0, loaded.at + PAUSE - Date.now()) : 0;
    const timer = window.setTimeout(() => {
      busy.current = query;
      const mine = () => busy.current === query;
      get<Quality>(`/quality?${query}`)
        .then((found) => mine() && setLoaded({ found, failure: null, at: Date.now(), query }))
        .catch((failure: Error) => {
          if (mine()) setLoaded((before) => ({ ...before, failure, at: Date.now(), query }));
        })
        .finally(() => {
          if (mine()) busy.current = "";
        });
    }, wait);
    return () => window.clearTimeout(timer);
  }, [query, version]);
  return loaded;
}
