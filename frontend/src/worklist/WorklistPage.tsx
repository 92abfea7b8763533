/** Every study, the most urgent first. */

import { useEffect, useRef, useState } from "preact/hooks";
import { keyOf, spoken, useKeys } from "../keys/keys";
import { usePreferences } from "../shell/preferences";
import { navigate, usePlace } from "../shell/router";
import { may, useSession } from "../shell/session";
import { Notice } from "../shell/Shell";
import { beginTrail } from "../viewer/trail";
import { Filters } from "./Filters";
import { Row } from "./Row";
import { Empty } from "./Empty";
import { Upload } from "./Upload";
import { type Filter, NO_FILTER, useWorklist } from "./useWorklist";

/** Ages on the screen move on by themselves. */
const TICK = 15_000;

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), TICK);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

function fromAddress(query: URLSearchParams): Filter {
  return {
    status: query.get("status") ?? "",
    outcome: query.get("outcome") ?? "",
    q: query.get("q") ?? "",
  };
}

export function WorklistPage() {
  const { query } = usePlace();
  const { me } = useSession();
  usePreferences(); // for the hints, whose keys may change
  const filter = fromAddress(query);
  const list = useWorklist(filter);
  const now = useNow();
  const search = useRef<HTMLInputElement>(null);
  const items = useRef<HTMLOListElement>(null);
  const filtered = Object.values(filter).some(Boolean);

  useEffect(() => {
    document.title = "Worklist · lungflag";
    beginTrail();
  }, []);

  function choose(changes: Partial<Filter>): void {
    const wanted = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...filter, ...changes })) {
      if (value) wanted.set(name, value);
    }
    navigate(wanted.size ? `/?${wanted}` : "/", true);
  }
  function step(by: number): void {
    const links = [...(items.current?.querySelectorAll<HTMLAnchorElement>("a.row-link") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  }
  useKeys(
    {
      down: () => step(1),
      up: () => step(-1),
      open: () => items.current?.querySelector<HTMLAnchorElement>("a.row-link")?.click(),
      search: () => search.current?.focus(),
    },
    "worklist",
  );

  return (
    <div class="worklist">
      <div class="worklist-head">
        <h1>Worklist</h1>
        <Filters filter={filter} counts={list.counts} choose={choose} search={search} />
        {may(me, "operator") && <Upload />}
      </div>
      {list.failure && (
        <p class="stale" role="status">
          {list.rows
            ? `The station does not answer. This is the list of ${new Date(list.at).toLocaleTimeString()}. Trying again…`
            : `The worklist cannot be fetched: ${list.failure.message}. Trying again…`}
        </p>
      )}
      {!list.rows && !list.failure && <p class="quiet opening">Fetching the worklist…</p>}
      {list.rows && list.rows.length > 0 && (
        <>
          <div class="row row-heads" aria-hidden="true">
            <span />
            <span>Result</span>
            <span>Probability</span>
            <span>Patient</span>
            <span>Study</span>
            <span>Priority</span>
            <span>Arrived</span>
            <span>Status</span>
          </div>
          <ol ref={items} class="rows" aria-label="Studies, the most urgent first">
            {list.rows.map((row) => (
              <Row key={row.study} row={row} now={now} />
            ))}
          </ol>
          {list.more && (
            <p class="more">
              <button type="button" onClick={list.showMore}>
                Show more
              </button>
            </p>
          )}
          <p class="hint quiet">
            <kbd>{spoken(keyOf("worklist", "down"))}</kbd> <kbd>{spoken(keyOf("worklist", "up"))}</kbd> move,{" "}
            <kbd>Enter</kbd> opens, <kbd>{spoken(keyOf("worklist", "open"))}</kbd> opens the most urgent,{" "}
            <kbd>{spoken(keyOf("everywhere", "help"))}</kbd> shows every key
          </p>
        </>
      )}
      {list.rows?.length === 0 &&
        (filtered ? (
          <Notice title="No study matches">
            <button type="button" onClick={() => choose(NO_FILTER)}>
              Show every study
            </button>
          </Notice>
        ) : (
          <Empty />
        ))}
    </div>
  );
}
