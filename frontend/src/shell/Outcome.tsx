/** What the detector said, in words and as a bar; colour is never the only sign. */

import type { Finding, ImageRow, Outcome } from "../api/types";
import { percent } from "./facts";
import { Icon } from "./icons";

export type Tone = "flagged" | "calm" | "rejected" | "waiting";

export function toneOf(outcome: Outcome | null): Tone {
  if (!outcome) return "waiting";
  if (outcome.kind === "rejection") return "rejected";
  return outcome.flagged ? "flagged" : "calm";
}

const ICONS = { flagged: "flag", calm: "clear", rejected: "reject", waiting: "clock" } as const;

export function wordFor(row: Pick<ImageRow, "outcome" | "state"> | null): string {
  const outcome = row?.outcome;
  if (outcome) {
    if (outcome.kind === "rejection") return "Not judged";
    return outcome.flagged ? "Flagged" : "Not flagged";
  }
  return row?.state === "judging" ? "Being judged" : "Waiting";
}

export function OutcomeBadge({ row, greyed }: { row: ImageRow | null; greyed?: boolean }) {
  const tone = toneOf(row?.outcome ?? null);
  return (
    <span class={`badge badge-${tone}${greyed ? " badge-greyed" : ""}`}>
      <Icon name={ICONS[tone]} />
      {wordFor(row)}
    </span>
  );
}

/** The calibrated probability on a line from 0 to 100 %, with the threshold as a tick. */
export function ProbabilityBar({ finding, greyed }: { finding: Finding; greyed?: boolean }) {
  const { probability, threshold } = finding;
  const tone = greyed ? "rejected" : toneOf(finding);
  return (
    <div class="probability">
      <svg class={`probability-bar bar-${tone}`} viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" x="0" y="3" width="100" height="4" />
        <rect class="fill" x="0" y="3" width={Math.max(0.6, 100 * probability)} height="4" />
        <rect class="tick" x={Math.min(99, 100 * threshold)} y="0" width="1" height="10" />
      </svg>
      <p class="probability-words">
        <strong>{percent(probability)}</strong> · threshold {percent(threshold)} · {finding.operating_point}
      </p>
    </div>
  );
}
