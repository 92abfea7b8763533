import type { Accuracy, Share } from "./types";
import { Card, Figures, Plot, scale } from "./plot";
import { count, interval, percent } from "./words";

const ROW = 34;

/** Sensitivity and specificity by the readers' word, beside what the package states. */
export function AccuracyCard({ found }: { found: Accuracy }) {
  const rows: { name: string; share: Share; stated: number; soft: boolean }[] = [
    { name: "Sensitivity", share: found.sensitivity, stated: found.stated_sensitivity, soft: false },
    { name: "· corrected", share: found.corrected_sensitivity, stated: found.stated_sensitivity, soft: true },
    { name: "Specificity", share: found.specificity, stated: found.stated_specificity, soft: false },
    { name: "· corrected", share: found.corrected_specificity, stated: found.stated_specificity, soft: true },
  ];
  const read = found.flagged_read + found.not_flagged_read;
  const uneven = `${found.flagged_read} of ${found.flagged} flagged and ${found.not_flagged_read} of ${found.not_flagged} not flagged images were read.`;
  return (
    <Card title="Accuracy by the readers' word" lead={`${count(read, "image")} read and not left unsure`}>
      {read === 0 ? (
        <p class="nothing">It appears when readers have agreed or disagreed with findings.</p>
      ) : (
        <>
          <Plot label="Sensitivity and specificity with 95% intervals" height={ROW * rows.length + 36} left={96}>
            {(area) => {
              const x = scale([0, 1], [area.left, area.right - 8]);
              return (
                <>
                  <g class="grid">
                    {[0, 0.25, 0.5, 0.75, 1].map((tick) => (
                      <g key={tick}>
                        <line x1={x(tick)} x2={x(tick)} y1={4} y2={area.bottom} />
                        <text x={x(tick)} y={area.bottom + 20} text-anchor="middle">
                          {percent(tick)}
                        </text>
                      </g>
                    ))}
                  </g>
                  {rows.map((row, index) => {
                    const y = 8 + ROW * (index + 0.5);
                    const { value, low, high } = row.share;
                    return (
                      <g key={index} class={row.soft ? "whisker whisker-soft" : "whisker"}>
                        <text class="name" x={area.left - 10} y={y + 4} text-anchor="end">
                          {row.name}
                        </text>
                        <line class="stated" x1={x(row.stated)} x2={x(row.stated)} y1={y - 11} y2={y + 11} />
                        {value === null || low === null || high === null ? (
                          <text class="name" x={x(0.02)} y={y + 4}>
                            too few
                          </text>
                        ) : (
                          <>
                            <line x1={x(low)} x2={x(high)} y1={y} y2={y} />
                            <circle cx={x(value)} cy={y} r={6} />
                          </>
                        )}
                      </g>
                    );
                  })}
                </>
              );
            }}
          </Plot>
          <p class="legend">
            Dot and line: value and 95% interval. Dashed: what the package states for its threshold. Corrected: as if
            flagged and other images had been read alike (Begg and Greenes).
          </p>
          <p class="caveat">
            {found.note} {uneven}
          </p>
          <Figures
            caption="Accuracy by the readers' word"
            heads={["Figure", "Value", "95% interval", "Images", "Stated"]}
            rows={rows.map((row, index) => [
              row.soft ? `${rows[index - 1]?.name}, corrected` : row.name,
              percent(row.share.value, 1),
              interval(row.share.low, row.share.high),
              row.share.n,
              percent(row.stated, 1),
            ])}
          />
        </>
      )}
    </Card>
  );
}
