/** The worklist as the station has it, asked for again with every change. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/client";
import type { Counts, StudyPage, StudyRow } from "../api/types";
import { announce } from "../shell/announce";
import { useSession } from "../shell/session";

export interface Filter {
  status: string;
  outcome: string;
  q: string;
}

export const NO_FILTER: Filter = { status: "", outcome: "", q: "" };

const PAGE = 50;
/** Many objects arrive together; one answer serves them all. */
const GATHER = 250;
const RETRY = 2000;

export interface Worklist {
  rows: StudyRow[] | null;
  counts: Counts | null;
  more: boolean;
  showMore: () => void;
  failure: Error | null;
  /** When the rows were fetched. */
  at: number;
}

function address(filter: Filter, cursor: string | null): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value);
  if (cursor) query.set("cursor", cursor);
  return `/studies?${query}`;
}

export function useWorklist(filter: Filter): Worklist {
  const { version } = useSession();
  const [rows, setRows] = useState<StudyRow[] | null>(null);
  const [counts, setCounts] = useState<Counts | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);
  const [at, setAt] = useState(0);
  const [again, setAgain] = useState(0);
  const pages = useRef(1);
  const before = useRef<Counts | null>(null);
  const fetched = useRef("");
  const name = JSON.stringify(filter);

  useEffect(() => {
    const leaving = new AbortController();
    let timer = 0;
    if (fetched.current !== name) pages.current = 1;
    async function load(): Promise<void> {
      const all: StudyRow[] = [];
      let cursor: string | null = null;
      try {
        for (let page = 0; page < pages.current; page++) {
          const answer: StudyPage = await get(address(filter, cursor), leaving.signal);
          all.push(...answer.items);
          cursor = answer.next;
          if (page === 0) {
            setCounts(answer.counts);
            tell(before.current, answer.counts);
            before.current = answer.counts;
          }
          if (!cursor) break;
        }
        fetched.current = name;
        setRows(all);
        setNext(cursor);
        setFailure(null);
        setAt(Date.now());
      } catch (error) {
        if (leaving.signal.aborted) return;
        setFailure(error as Error);
        timer = window.setTimeout(() => setAgain((count) => count + 1), RETRY);
      }
    }
    timer = window.setTimeout(() => void load(), fetched.current === name ? GATHER : 0);
    return () => {
      leaving.abort();
      window.clearTimeout(timer);
    };
  }, [version, name, again]);

  const showMore = useCallback(() => {
    pages.current += 1;
    setAgain((count) => count + 1);
  }, []);
  return { rows, counts, more: next !== null, showMore, failure, at };
}

/** Says what a look at the list would show. */
function tell(before: Counts | null, now: Counts): void {
  if (!before) return;
  const flagged = now.flagged - before.flagged;
  const unread = now.unread - before.unread;
  if (flagged > 0) announce(`${flagged} more flagged, ${now.unread} unread`);
  else if (unread > 0) announce(`${unread} more to read, ${now.unread} unread`);
}
