/** What the plots share: a frame that fills its card, axes, and the same figures as a table. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Area {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const MARGIN = { left: 48, right: 12, top: 12, bottom: 28 };

interface PlotProps {
  label: string;
  height: number;
  left?: number;
  children: (area: Area) => ComponentChildren;
}

/** An SVG as wide as its place, so that its letters keep their size. */
export function Plot({ label, height, left = MARGIN.left, children }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  const area = {
    width,
    height,
    left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  return (
    <div class="plot" ref={place}>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label={label}>
          {children(area)}
        </svg>
      )}
    </div>
  );
}

export function scale(from: [number, number], to: [number, number]): (value: number) => number {
  const span = from[1] - from[0] || 1;
  return (value) => to[0] + ((value - from[0]) / span) * (to[1] - to[0]);
}

interface GridProps {
  area: Area;
  at: (value: number) => number;
  ticks: number[];
  word: (value: number) => string;
}

/** Horizontal lines with their values on the left. */
export function Grid({ area, at, ticks, word }: GridProps) {
  return (
    <g class="grid">
      {ticks.map((tick) => (
        <g key={tick}>
          <line x1={area.left} x2={area.right} y1={at(tick)} y2={at(tick)} />
          <text x={area.left - 8} y={at(tick) + 4} text-anchor="end">
            {word(tick)}
          </text>
        </g>
      ))}
    </g>
  );
}

/** As many names of days under a plot as there is room for. */
export function Days({ area, days, at }: { area: Area; days: string[]; at: (index: number) => number }) {
  const every = Math.max(1, Math.ceil(days.length / Math.max(2, Math.floor((area.right - area.left) / 72))));
  return (
    <g class="grid">
      {days.map((day, index) =>
        index % every === 0 ? (
          <text key={day} x={at(index)} y={area.bottom + 20} text-anchor="middle">
            {day}
          </text>
        ) : null,
      )}
    </g>
  );
}

/** Round values from 0 to at least `most`. */
export function roundTicks(most: number): number[] {
  if (most <= 0) return [0, 1];
  const raw = most / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? 10 * power;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}

interface FiguresProps {
  caption: string;
  heads: string[];
  rows: (string | number)[][];
}

/** The figures of a plot for those who would rather read, or have them read. */
export function Figures({ caption, heads, rows }: FiguresProps) {
  return (
    <details class="figures">
      <summary>Figures as a table</summary>
      <div class="table-frame" tabIndex={0} role="region" aria-label={caption}>
        <table>
          <caption class="unseen">{caption}</caption>
          <thead>
            <tr>
              {heads.map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row[0]}>
                {row.map((cell, index) =>
                  index ? <td key={heads[index]}>{cell}</td> : (
                    <th key={heads[0]} scope="row">
                      {cell}
                    </th>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

interface CardProps {
  title: string;
  lead?: ComponentChildren;
  wide?: boolean;
  children: ComponentChildren;
}

export function Card({ title, lead, wide = false, children }: CardProps) {
  return (
    <section class={wide ? "quality-card quality-wide" : "quality-card"}>
      <h2>{title}</h2>
      {lead && <p class="lead">{lead}</p>}
      {children}
    </section>
  );
}
