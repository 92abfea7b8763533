/** The reader's word on a result: three verdicts, a comment, and the way back. */

import type { Ref } from "preact";
import type { ImageDetail, Reading, Verdict } from "../api/types";
import { keyOf, spoken } from "../keys/keys";
import { moment, VERDICTS } from "../shell/facts";
import { prefer, usePreferences } from "../shell/preferences";
import type { Readings } from "./useReadings";

const WORDS: readonly [Verdict, string][] = [
  ["agree", "Agree"],
  ["disagree", "Disagree"],
  ["unsure", "Unsure"],
];

interface Props {
  image: ImageDetail;
  readings: Readings;
  field: Ref<HTMLTextAreaElement>;
  onNext: () => void;
  hasNext: boolean;
}

export function ReadingCard({ image, readings, field, onNext, hasNext }: Props) {
  const { mine, comment, setComment, read, undo, busy, note, refusal } = readings;
  const { advance } = usePreferences();
  const ready = image.outcome !== null;

  function typed(event: KeyboardEvent): void {
    const leave = event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey));
    if (!leave) return;
    event.preventDefault();
    event.stopPropagation();
    (event.currentTarget as HTMLElement).blur();
  }

  return (
    <section class="card" aria-label="My reading">
      <div class="card-head">
        <h2>My reading</h2>
        {mine && (
          <button type="button" class="small" disabled={busy} onClick={undo} aria-keyshortcuts={keyOf("viewer", "undo")}>
            Undo <kbd>{spoken(keyOf("viewer", "undo"))}</kbd>
          </button>
        )}
      </div>
      <div class="verdicts" role="group" aria-label="Do you agree with the result?">
        {WORDS.map(([verdict, word]) => (
          <button
            key={verdict}
            type="button"
            class={`say say-${verdict}`}
            aria-pressed={mine?.verdict === verdict}
            aria-keyshortcuts={keyOf("viewer", verdict)}
            disabled={!ready || busy}
            onClick={() => read(verdict)}
          >
            {word} <kbd>{spoken(keyOf("viewer", verdict))}</kbd>
          </button>
        ))}
      </div>
      <label class="comment">
        <span>
          Comment <kbd>{spoken(keyOf("viewer", "comment"))}</kbd>
        </span>
        <textarea
          ref={field}
          rows={2}
          maxLength={2000}
          value={comment}
          placeholder="Goes with the verdict"
          onInput={(event) => setComment(event.currentTarget.value)}
          onKeyDown={typed}
        />
      </label>
      {mine && comment.trim() !== mine.comment && (
        <button type="button" class="small" disabled={busy} onClick={() => read(mine.verdict)}>
          Save the comment
        </button>
      )}
      {note && <p class="quiet">{note}</p>}
      <p class="refusal" role="alert">
        {refusal}
      </p>
      <div class="next">
        <button type="button" class="primary" onClick={onNext} aria-keyshortcuts={keyOf("viewer", "next")}>
          {hasNext ? "Next study" : "Back to the worklist"} <kbd>{spoken(keyOf("viewer", "next"))}</kbd>
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={advance}
            onChange={(event) => prefer({ advance: event.currentTarget.checked })}
          />
          go on after a verdict
        </label>
      </div>
      <History readings={image.readings} />
    </section>
  );
}

function History({ readings }: { readings: Reading[] }) {
  if (!readings.length) return null;
  return (
    <ol class="history" aria-label="Readings so far">
      {readings.map((r) => (
        <li key={r.id} class={r.undone_at ? "undone" : ""}>
          <span>
            {r.reader}: {VERDICTS[r.verdict].toLowerCase()}
            {r.undone_at ? ", undone" : ""}
          </span>
          <time dateTime={r.created_at}>{moment(r.created_at)}</time>
          {r.comment && <q>{r.comment}</q>}
        </li>
      ))}
    </ol>
  );
}
