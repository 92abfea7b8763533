import type { Drift, Energy, Stability } from "./types";
import { Card, Figures, Grid, Plot, roundTicks, scale } from "./plot";
import { count, percent } from "./words";

const LEVELS = { unknown: "too few", stable: "stable", moderate: "moved a little", large: "moved" };

/** Whether scores, pictures and what the network sees in them are still those of the reference. */
export function DriftCard({ drift, enough }: { drift: Drift | null; enough: number }) {
  if (!drift) {
    return (
      <Card title="Drift" wide>
        <p class="nothing">
          This model package has no reference, so drift cannot be shown. On the workbench,{" "}
          <code>lungflag reference PACKAGE DATA</code> adds one.
        </p>
      </Card>
    );
  }
  const n = drift.score.n;
  return (
    <Card
      title="Drift against the package's reference"
      lead={
        <>
          {count(n, "patient")} here, one image each, against {count(drift.reference_n, "film")} of the reference (
          {drift.reference})
        </>
      }
      wide
    >
      {n < enough && (
        <p class="nothing">
          Drift is spoken of from {enough} patients on. Until then the bars below are mostly chance.
        </p>
      )}
      <div class="drifts">
        <Moved title="Scores" unit="probability" moved={drift.score} share />
        <Moved title="Brightness" unit="mean grey" moved={drift.input.grey_mean} />
        <Moved title="Contrast" unit="spread of grey" moved={drift.input.grey_std} />
        <Seen seen={drift.embedding} />
      </div>
      <p class="legend">
        <span class="swatch swatch-reference" aria-hidden="true" /> reference, a tenth in each bin ·{" "}
        <span class="swatch swatch-current" aria-hidden="true" /> here. PSI: below 0.1 stable, from 0.25 on moved (the
        usual bounds, Siddiqi 2006); an alarm also asks for more than chance explains at this number of patients.
      </p>
      <p class="caveat">
        A drift says that patients, machines or settings differ from those of the reference, not that findings are
        wrong. More or fewer sick patients move the scores too. Look at films before blaming a machine.
      </p>
    </Card>
  );
}

function Verdict({ alarm, word }: { alarm: boolean; word: string }) {
  const tone = alarm ? " verdict-alarm" : word === LEVELS.unknown ? " verdict-unknown" : "";
  return <span class={`verdict${tone}`}>{alarm ? `▲ ${word}: alarm` : word}</span>;
}

interface MovedProps {
  title: string;
  unit: string;
  moved: Stability;
  share?: boolean;
}

function Moved({ title, unit, moved, share = false }: MovedProps) {
  const word = (value: number) => (share ? percent(value) : value.toFixed(2));
  const range = (low: number | null, high: number | null) =>
    low === null ? `below ${word(high ?? 0)}` : high === null ? `${word(low)} and more` : `${word(low)} to ${word(high)}`;
  const psi = moved.psi === null ? "PSI –" : `PSI ${moved.psi.toFixed(2)}`;
  const most = Math.max(0.2, ...moved.bins.map((bin) => Math.max(bin.reference, bin.current)));
  return (
    <figure class="drift">
      <figcaption>
        <h3>{title}</h3>
        <span class="number">{psi}</span>
        <Verdict alarm={moved.alarm} word={LEVELS[moved.level]} />
      </figcaption>
      <Plot label={`${title} (${unit}): ${psi}, ${LEVELS[moved.level]}`} height={168}>
        {(area) => {
          const ticks = roundTicks(most).slice(0, 6);
          const y = scale([0, Math.max(most, ticks.at(-1) ?? 1)], [area.bottom, area.top]);
          const step = (area.right - area.left) / Math.max(1, moved.bins.length);
          const bar = Math.max(2, (step - 4) / 2);
          return (
            <>
              <Grid area={area} at={y} ticks={ticks} word={(tick) => percent(tick)} />
              {moved.bins.map((bin, index) => {
                const x = area.left + index * step + 2;
                return (
                  <g key={index}>
                    <title>
                      {`${range(bin.low, bin.high)}: reference ${percent(bin.reference)}, here ${percent(bin.current)}`}
                    </title>
                    <rect class="bar-reference" x={x} y={y(bin.reference)} width={bar} height={area.bottom - y(bin.reference)} />
                    <rect class="bar-current" x={x + bar} y={y(bin.current)} width={bar} height={area.bottom - y(bin.current)} />
                  </g>
                );
              })}
              <g class="grid">
                {moved.bins.slice(1).map((bin, index, all) =>
                  index === 0 || index === all.length - 1 || index === (all.length >> 1) ? (
                    <text key={index} x={area.left + (index + 1) * step} y={area.bottom + 18} text-anchor="middle">
                      {word(bin.low ?? 0)}
                    </text>
                  ) : null,
                )}
              </g>
            </>
          );
        }}
      </Plot>
      <Figures
        caption={`${title}: shares by bin`}
        heads={[unit, "Reference", "Here"]}
        rows={moved.bins.map((bin) => [range(bin.low, bin.high), percent(bin.reference, 1), percent(bin.current, 1)])}
      />
    </figure>
  );
}

function Seen({ seen }: { seen: Energy }) {
  const value = seen.energy === null ? "–" : seen.energy.toFixed(3);
  const word = seen.energy === null ? LEVELS.unknown : seen.alarm ? "moved" : "within chance";
  const most = Math.max(0.02, 1.25 * Math.max(seen.energy ?? 0, seen.threshold ?? 0));
  return (
    <figure class="drift">
      <figcaption>
        <h3>What the network sees</h3>
        <span class="number">{value}</span>
        <Verdict alarm={seen.alarm} word={word} />
      </figcaption>
      <Plot label={`Energy distance of the embeddings: ${value}, ${word}`} height={168} left={12}>
        {(area) => {
          const x = scale([0, most], [area.left, area.right]);
          const middle = (area.top + area.bottom) / 2;
          return (
            <>
              <rect class="track" x={area.left} y={middle - 10} width={area.right - area.left} height={20} rx={3} />
              {seen.threshold !== null && (
                <>
                  <rect class="chance" x={area.left} y={middle - 10} width={Math.max(0, x(seen.threshold) - area.left)} height={20} rx={3} />
                  <line class="limit" x1={x(seen.threshold)} x2={x(seen.threshold)} y1={middle - 18} y2={middle + 18} />
                  <text
                    class="name"
                    x={Math.max(area.left + 50, Math.min(x(seen.threshold), area.right - 50))}
                    y={middle - 26}
                    text-anchor="middle"
                  >
                    alarm from {seen.threshold.toFixed(3)}
                  </text>
                </>
              )}
              {seen.energy !== null && <circle class="needle" cx={x(seen.energy)} cy={middle} r={7} />}
              <g class="grid">
                {roundTicks(most)
                  .filter((tick) => tick <= most)
                  .map((tick) => (
                    <text key={tick} x={x(tick)} y={area.bottom + 18} text-anchor={tick ? (x(tick) > area.right - 20 ? "end" : "middle") : "start"}>
                      {tick.toFixed(3)}
                    </text>
                  ))}
              </g>
            </>
          );
        }}
      </Plot>
      <Figures
        caption="Energy distance of the embeddings"
        heads={["Figure", "Value"]}
        rows={[
          ["Energy distance", value],
          ["Alarm from", seen.threshold === null ? "–" : seen.threshold.toFixed(3)],
          ["p by permutation", seen.p_value === null ? "–" : seen.p_value.toFixed(3)],
          ["Patients", seen.n],
        ]}
      />
    </figure>
  );
}
