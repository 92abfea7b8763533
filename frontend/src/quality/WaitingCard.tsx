import type { Quality, Turnaround } from "./types";
import { Card, Days, Figures, Grid, Plot, roundTicks, scale } from "./plot";
import { count, percent, seconds, shortDay } from "./words";

/** How long an image waits for its outcome. */
export function WaitingCard({ waited }: { waited: Turnaround }) {
  const days = waited.per_day;
  return (
    <Card
      title="Turnaround, from receipt to outcome"
      lead={
        waited.n ? (
          <>
            half within <strong>{seconds(waited.p50)}</strong> · 95 % within <strong>{seconds(waited.p95)}</strong> ·{" "}
            {count(waited.n, "image")}
          </>
        ) : undefined
      }
    >
      {days.length === 0 ? (
        <p class="nothing">It appears with the first judged image.</p>
      ) : (
        <>
          <Plot label={`Turnaround by day: median ${seconds(waited.p50)}, 95th percentile ${seconds(waited.p95)}`} height={208}>
            {(area) => {
              const ticks = roundTicks(Math.max(...days.map((day) => day.p95), 0.1));
              const y = scale([0, ticks.at(-1) ?? 1], [area.bottom, area.top]);
              const step = (area.right - area.left) / days.length;
              const x = (index: number) => area.left + (index + 0.5) * step;
              const line = (name: "p50" | "p95") =>
                days.map((day, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y(day[name]).toFixed(1)}`).join("");
              return (
                <>
                  <Grid area={area} at={y} ticks={ticks} word={seconds} />
                  <Days area={area} days={days.map((day) => shortDay(day.day))} at={x} />
                  <path class="line line-p95" d={line("p95")} />
                  <path class="line" d={line("p50")} />
                  {days.map((day, index) => (
                    <g key={day.day}>
                      <title>{`${shortDay(day.day)}: p50 ${seconds(day.p50)}, p95 ${seconds(day.p95)}, ${count(day.n, "image")}`}</title>
                      <circle class="dot-p95" cx={x(index)} cy={y(day.p95)} r={4} />
                      <circle class="dot-p50" cx={x(index)} cy={y(day.p50)} r={4} />
                    </g>
                  ))}
                </>
              );
            }}
          </Plot>
          <p class="legend">Solid: median. Dashed: 95th percentile. Days are UTC.</p>
          <Figures
            caption="Turnaround by day"
            heads={["Day", "Median", "95th percentile", "Images"]}
            rows={days.map((day) => [day.day, seconds(day.p50), seconds(day.p95), day.n])}
          />
        </>
      )}
    </Card>
  );
}

/** Why images were not judged. */
export function RejectionsCard({ found }: { found: Quality }) {
  const most = Math.max(1, ...found.rejections.map((one) => one.n));
  return (
    <Card
      title="Rejections"
      lead={found.n_images ? `${count(found.n_rejected, "image")} of ${count(found.n_images, "image")} not judged` : undefined}
      wide
    >
      {found.rejections.length === 0 ? (
        <p class="nothing">No image was rejected. A rejected image is neither positive nor negative.</p>
      ) : (
        <ul class="reasons">
          {found.rejections.map((one) => (
            <li key={one.code}>
              <div class="reason-words">
                <strong>{one.code}</strong> <span class="quiet">{one.meaning}</span>
              </div>
              <svg class="reason-bar" width="100%" height="10" aria-hidden="true">
                <rect class="track" width="100%" height="10" rx="3" />
                <rect class="bar-rejected" width={`${(100 * one.n) / most}%`} height="10" rx="3" />
              </svg>
              <span class="reason-n">
                {one.n} <span class="quiet">({percent(one.share, 1)})</span>
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
