/** One study of the worklist. */

import { address, imagePath } from "../api/client";
import type { ImageRow, StudyRow } from "../api/types";
import { date, percent, PRIORITIES, sexAndAge, since, VERDICTS, who } from "../shell/facts";
import { OutcomeBadge, ProbabilityBar, toneOf, wordFor } from "../shell/Outcome";
import { usePreferences } from "../shell/preferences";

export function Row({ row, now }: { row: StudyRow; now: number }) {
  const { hidePatient } = usePreferences();
  const { lead } = row;
  const disagreed = lead?.reading?.verdict === "disagree";
  const personal = (text: string) => (hidePatient ? "" : text);
  return (
    <li class={`row row-${toneOf(lead?.outcome ?? null)} row-is-${row.status}`}>
      <Thumbnail lead={lead} />
      <span class="cell-result">
        <OutcomeBadge row={lead} greyed={disagreed} />
      </span>
      <span class="cell-probability">
        <Verdict lead={lead} greyed={disagreed} />
      </span>
      <span class="cell-patient">
        <a
          class="row-link"
          href={`/studies/${encodeURIComponent(row.study)}`}
          aria-label={spokenRow(row, hidePatient, now)}
        >
          {who(row, hidePatient)}
        </a>
        <span class="quiet">{[personal(row.patient_id), sexAndAge(row)].filter(Boolean).join(" · ")}</span>
      </span>
      <span class="cell-study">
        <span>{row.description || lead?.modality || "Chest radiograph"}</span>
        <span class="quiet">
          {[date(row.study_date), lead?.view_position, row.images > 1 ? `${row.images} images` : "", row.institution]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </span>
      <span class={`cell-priority priority-${row.priority.toLowerCase()}`}>{PRIORITIES[row.priority]}</span>
      <time class="cell-age" dateTime={row.received_at} title={`Arrived ${row.received_at}`}>
        {since(row.received_at, now)}
      </time>
      <span class="cell-status">{status(row)}</span>
    </li>
  );
}

function status({ status: state, lead }: StudyRow): string {
  const reading = lead?.reading;
  if (state === "read" && reading) return `${VERDICTS[reading.verdict]} · ${reading.reader}`;
  return { waiting: "Waiting", unread: "Unread", read: "Read" }[state];
}

function spokenRow(row: StudyRow, hidden: boolean, now: number): string {
  const outcome = row.lead?.outcome;
  const result =
    outcome?.kind === "finding"
      ? `${wordFor(row.lead)}, ${percent(outcome.probability)}`
      : `${wordFor(row.lead)}${outcome ? `: ${outcome.reason}` : ""}`;
  const priority = `${PRIORITIES[row.priority].toLowerCase()} priority`;
  return `${who(row, hidden)}. ${result}. ${priority}, arrived ${since(row.received_at, now)} ago, ${status(row)}`;
}

function Verdict({ lead, greyed }: { lead: ImageRow | null; greyed: boolean }) {
  const outcome = lead?.outcome;
  if (outcome?.kind === "finding") return <ProbabilityBar finding={outcome} greyed={greyed} />;
  if (outcome?.kind === "rejection") {
    return (
      <span class="rejected-why">
        <strong>{outcome.reason || outcome.meaning}</strong>
        <span>No result: read without help</span>
      </span>
    );
  }
  return <span class="quiet">{lead?.state === "judging" ? "being judged now" : "in the queue"}</span>;
}

function Thumbnail({ lead }: { lead: ImageRow | null }) {
  if (!lead?.has_thumbnail) return <span class="thumbnail thumbnail-none" aria-hidden="true" />;
  const greyed = lead.reading?.verdict === "disagree";
  return (
    <img
      class={greyed ? "thumbnail thumbnail-greyed" : "thumbnail"}
      src={address(imagePath(lead.image, "thumbnail"))}
      alt=""
      width="64"
      height="64"
      loading="lazy"
      decoding="async"
    />
  );
}
