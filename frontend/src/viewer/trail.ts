/** The studies that were opened one after another, so that going back leads where one was. */

export interface Neighbours {
  previous: string | null;
  next: string | null;
}

let trail: string[] = [];

/** Forgets the way: another one begins at the worklist. */
export function beginTrail(): void {
  trail = [];
}

export function visit(study: string): void {
  if (!trail.includes(study)) trail.push(study);
}

/** What lies before and after a study: as it was walked, else as the station orders it. */
export function around(study: string, ordered: Neighbours): Neighbours {
  const at = trail.indexOf(study);
  return {
    previous: trail[at - 1] ?? ordered.previous,
    next: trail[at + 1] ?? ordered.next,
  };
}
