/** Figures as people read them. */

export function percent(share: number | null, digits = 0): string {
  return share === null ? "–" : `${(100 * share).toFixed(digits)} %`;
}

export function seconds(value: number | null): string {
  if (value === null) return "–";
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return `${(value / 3600).toFixed(1)} h`;
}

export function interval(low: number | null, high: number | null): string {
  return low === null || high === null ? "" : `${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} %`;
}

const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

export function shortDay(day: string): string {
  return SHORT.format(new Date(`${day}T00:00:00Z`));
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;
}
