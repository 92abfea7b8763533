/** Readings on their way. One that meets a restarting station is kept and sent again. */

import type { Reading, Verdict } from "./types";
import { change, get, imagePath, Problem, Unreachable } from "./client";

const RETRY = 1500;

/** Whether the station took a reading of which the answer was lost. */
async function arrived(
  image: string,
  reader: string,
  verdict: Verdict,
  comment: string,
  known: ReadonlySet<number>,
): Promise<Reading | undefined> {
  const readings = await get<Reading[]>(imagePath(image, "readings"));
  return readings.find(
    (r) =>
      !known.has(r.id) &&
      r.reader === reader &&
      r.verdict === verdict &&
      r.comment === comment &&
      !r.undone_at,
  );
}

/** Whether an error passes when the station is up again. */
function passing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Problem && error.status === 503);
}

/**
 * Sends a reading until the station has it once, and calls `delayed` where that takes more than
 * one try. Throws what the station refuses.
 */
export async function submit(
  image: string,
  reader: string,
  verdict: Verdict,
  comment: string,
  known: ReadonlySet<number>,
  delayed: () => void,
): Promise<Reading> {
  for (let tries = 0; ; tries++) {
    try {
      const earlier = tries ? await arrived(image, reader, verdict, comment, known) : undefined;
      return earlier ?? (await change<Reading>("POST", imagePath(image, "readings"), { verdict, comment }));
    } catch (error) {
      if (!passing(error)) throw error;
      delayed();
      await new Promise((resolve) => window.setTimeout(resolve, RETRY));
    }
  }
}
