/** Counts that filter, and a search. */

import type { Ref } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Counts } from "../api/types";
import { keyOf, spoken } from "../keys/keys";
import type { Filter } from "./useWorklist";

interface Props {
  filter: Filter;
  counts: Counts | null;
  choose: (changes: Partial<Filter>) => void;
  search: Ref<HTMLInputElement>;
}

const PAUSE = 250;

type Chip = [name: string, count: keyof Counts | null, status: string, outcome: string];

const CHIPS: readonly Chip[] = [
  ["All", null, "", ""],
  ["Unread", "unread", "unread", ""],
  ["Flagged", "flagged", "", "flagged"],
  ["Not judged", "rejected", "", "rejected"],
  ["Waiting", "waiting", "waiting", ""],
  ["Read", "read", "read", ""],
];

export function Filters({ filter, counts, choose, search }: Props) {
  const [typed, setTyped] = useState(filter.q);

  useEffect(() => setTyped(filter.q), [filter.q]);
  useEffect(() => {
    if (typed === filter.q) return;
    const timer = window.setTimeout(() => choose({ q: typed }), PAUSE);
    return () => window.clearTimeout(timer);
  }, [typed]);

  return (
    <div class="filters" role="search" aria-label="Filter the worklist">
      <div class="chips" role="group" aria-label="Show">
        {CHIPS.map(([name, count, status, outcome]) => (
          <button
            key={name}
            type="button"
            class="chip"
            aria-pressed={filter.status === status && filter.outcome === outcome}
            onClick={() => choose({ status, outcome })}
          >
            {name}
            {count && counts && <span class="count">{counts[count]}</span>}
          </button>
        ))}
      </div>
      <input
        ref={search}
        type="search"
        aria-label="Search name, ID, accession number, description"
        placeholder={`Search  ${spoken(keyOf("worklist", "search"))}`}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" || event.key === "Enter") event.currentTarget.blur();
        }}
      />
    </div>
  );
}
