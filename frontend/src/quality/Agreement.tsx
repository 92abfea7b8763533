import type { AgreementDay } from "./types";
import { Card, Days, Figures, Grid, Plot, scale } from "./plot";
import { count, interval, percent, shortDay } from "./words";

/** What share of findings readers agreed with, day by day, with 95% intervals. */
export function Agreement({ days }: { days: AgreementDay[] }) {
  const total = (name: "agree" | "disagree" | "unsure") => days.reduce((sum, day) => sum + day[name], 0);
  const sure = total("agree") + total("disagree");
  const shown = days.filter((day) => day.share !== null);
  const label = `Agreement by day: ${percent(sure ? total("agree") / sure : null)} of ${count(sure, "finding")} overall`;
  return (
    <Card
      title="Readers' agreement"
      lead={
        sure ? (
          <>
            <strong>{percent(total("agree") / sure)}</strong> of {count(sure, "finding")} agreed with ·{" "}
            {count(total("unsure"), "reading")} unsure
          </>
        ) : undefined
      }
      wide
    >
      {shown.length === 0 ? (
        <p class="nothing">
          Nobody has agreed or disagreed yet. Open a study from the worklist and say what you think: one key each.
        </p>
      ) : (
        <>
          <Plot label={label} height={240}>
            {(area) => {
              const y = scale([0, 1], [area.bottom, area.top]);
              const step = (area.right - area.left) / shown.length;
              const x = (index: number) => area.left + (index + 0.5) * step;
              return (
                <>
                  <Grid area={area} at={y} ticks={[0, 0.25, 0.5, 0.75, 1]} word={(tick) => percent(tick)} />
                  <Days area={area} days={shown.map((day) => shortDay(day.day))} at={x} />
                  {shown.map((day, index) => (
                    <g key={day.day} class="whisker">
                      <title>
                        {`${shortDay(day.day)}: ${percent(day.share)} (${interval(day.low, day.high)}), ${day.agree} agree, ${day.disagree} disagree`}
                      </title>
                      <line x1={x(index)} x2={x(index)} y1={y(day.low ?? 0)} y2={y(day.high ?? 1)} />
                      <line x1={x(index) - 4} x2={x(index) + 4} y1={y(day.low ?? 0)} y2={y(day.low ?? 0)} />
                      <line x1={x(index) - 4} x2={x(index) + 4} y1={y(day.high ?? 1)} y2={y(day.high ?? 1)} />
                      <circle
                        cx={x(index)}
                        cy={y(day.share ?? 0)}
                        r={Math.min(8, 3 + Math.sqrt(day.agree + day.disagree) / 2)}
                      />
                    </g>
                  ))}
                </>
              );
            }}
          </Plot>
          <p class="legend">
            Dot: share that agreed, larger with more readings. Line: 95% interval (Wilson). Days are UTC.
          </p>
          <Figures
            caption="Agreement by day"
            heads={["Day", "Agreed", "95% interval", "Agree", "Disagree", "Unsure"]}
            rows={days.map((day) => [
              day.day,
              percent(day.share),
              interval(day.low, day.high),
              day.agree,
              day.disagree,
              day.unsure,
            ])}
          />
        </>
      )}
    </Card>
  );
}
